"""The command line: parse, then one library call.

Libraries are imported by the commands, so that ``--help`` is quick.
"""

import click

from sakeff import __version__
from sakeff.cli.common import SentenceGroup
from sakeff.cli.data import data
from sakeff.cli.doctor import doctor
from sakeff.cli.evaluate import evaluate
from sakeff.cli.export import export
from sakeff.cli.info import info
from sakeff.cli.md import md
from sakeff.cli.models import models
from sakeff.cli.relax import relax
from sakeff.cli.train import train

MANUAL = """sakeff - molecular dynamics with learned equivariant potentials (SAKE, So3krates).

\b
DESCRIPTION
  Relaxes structures and runs dynamics under a trained potential, with ASE or OpenMM, and
  trains, checks and exports such potentials. A MODEL is a bundled name (sakeff models), the
  folder of a checkpoint or an exported file. A STRUCTURE is a bundled name (riboflavin,
  ala10_helix, ala10_extended, alanine, ethanol) or any file that ASE reads. Lengths are in
  angstrom, energies in eV, temperatures in K, times in fs or ps as the option says.

\b
EXAMPLES
  sakeff doctor                            what is installed and which paths work
  sakeff relax riboflavin                  relax a bundled structure to fmax 0.01 eV/A
  sakeff relax my.xyz --model sake-gfn2 --reference minimum.xyz --out relaxed
  sakeff md riboflavin --engine openmm --ps 2 --relax-first --out run
  sakeff md riboflavin --engine openmm --ps 4 --out run --resume
  sakeff md my.xyz --engine ase --ensemble nve --equilibrate 1 --ps 10
  sakeff train recipe.yaml --out runs/mine
  sakeff train --from so3krates-gfn2 --data my.extxyz --out runs/tuned
  sakeff evaluate runs/mine/model test.xyz
  sakeff export runs/mine/model --out mine.pt
  sakeff info so3krates-gfn2

\b
FILES
  Commands that compute write into the folder named by --out. Nothing is overwritten unless
  --overwrite is given; files appear whole or not at all, logs and trajectories grow.

\b
EXIT CODES
  0  done
  1  an unexpected error (a fault of this program)
  2  refused or failed, for the reason given in one sentence (--debug shows where)
  3  a relaxation ran out of steps before it converged
"""


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=SentenceGroup, help=MANUAL, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="sakeff")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """The group of all commands; its manual page is ``MANUAL``."""


for command in (relax, md, train, evaluate, export, info, models, data, doctor):
    main.add_command(command)
