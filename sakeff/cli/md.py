"""``sakeff md``."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sakeff.cli.common import compute_options, model_option, output_options, print_pairs, quiet_option

# Which options belong to which engine.
ENGINE_OPTIONS = {
    "ase": ("device", "dtype"),
    "openmm": ("device", "dtype", "platform", "precision", "backend", "cuda_graphs"),
}

EXAMPLE = """\b
Examples:
  sakeff md riboflavin --ps 2 --relax-first --out run
  sakeff md riboflavin --ps 4 --relax-first --out run --resume
  sakeff md ethanol --engine ase --ensemble nve --equilibrate 1 --ps 5 --format xyz
  sakeff md ethanol --engine ase --model runs/1/model --model runs/2/model --model runs/3/model
"""


@click.command(epilog=EXAMPLE, short_help="Run molecular dynamics of STRUCTURE.")
@click.argument("structure")
@model_option
@click.option("--engine", type=click.Choice(["ase", "openmm"]), default="openmm", show_default=True)
@click.option("--ensemble", type=click.Choice(["nve", "nvt"]), default="nvt", show_default=True)
@click.option("--ps", "picoseconds", default=1.0, show_default=True, help="Length of the run, ps.")
@click.option("--timestep", default=0.5, show_default=True, help="fs.")
@click.option("--temperature", default=300.0, show_default=True, help="K, also of a start without momenta.")
@click.option("--friction", default=1.0, show_default=True, help="1/ps, of the Langevin thermostat.")
@click.option("--seed", default=0, show_default=True, help="Of velocities and thermostat.")
@click.option("--relax-first", is_flag=True, help="Relax to 0.05 eV/A before the start.")
@click.option("--equilibrate", default=0.0, show_default=True, help="ps of NVT before the run, not recorded.")
@click.option("--log-every", default=20, show_default=True, help="Steps between rows of the log.")
@click.option("--frame-every", default=20, show_default=True, help="Steps between frames.")
@click.option("--checkpoint-every", default=2000, show_default=True, help="Steps between checkpoints.")
@click.option("--max-stretch", default=2.0, show_default=True, help="A bond this many times its start length exploded.")
@click.option("--format", "suffix", type=click.Choice(["dcd", "xyz"]), default="dcd", show_default=True)
@click.option("--resume", is_flag=True, help="Continue the run in --out exactly, up to --ps.")
@click.option("--platform", help="OpenMM platform: Reference, CPU, CUDA, OpenCL.  [default: the fastest]")
@click.option("--precision", type=click.Choice(["single", "mixed", "double"]), help="Of OpenMM's GPU platforms.")
@click.option("--backend", type=click.Choice(["auto", "torch", "python"]), default="auto", show_default=True,
              help="OpenMM force: TorchForce or PythonForce.")  # fmt: skip
@click.option("--cuda-graphs", is_flag=True, help="One CUDA graph for each step (TorchForce, CUDA platform).")
@output_options
@compute_options
@quiet_option
def md(
    structure: str,
    model: str | list[str],
    engine: str,
    ensemble: str,
    picoseconds: float,
    timestep: float,
    relax_first: bool,
    equilibrate: float,
    suffix: str,
    resume: bool,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run molecular dynamics of STRUCTURE.

    Writes log.csv, trajectory.dcd (with trajectory.pdb for readers) or trajectory.xyz, checkpoint.npz, energy.png and
    temperature.png. Stops when numbers go non-finite or a bond explodes, and saves last_good.xyz then. Ctrl-C leaves a
    checkpoint for --resume.
    """
    from sakeff.drivers import MdSettings, check_engine, equilibrated, outputs_in, relaxed_start, run_md, steps_in
    from sakeff.structures import read_structure

    _refuse_options_of_others(engine)
    choices = {name: options.pop(name) for name in ENGINE_OPTIONS["openmm"]}
    of_ase, of_engine = ({name: choices[name] for name in ENGINE_OPTIONS[key]} for key in ("ase", engine))
    settings = MdSettings(steps_in(picoseconds, timestep), ensemble, timestep, **options)
    check_engine(engine, model)
    folder = out or Path(f"{Path(structure).stem}-md")
    outputs = outputs_in(folder, f"trajectory.{suffix}", overwrite)
    atoms = read_structure(structure)
    if not resume:
        outputs.refuse_existing()
        if relax_first:
            atoms = relaxed_start(atoms, model, not quiet, max_deviation=settings.max_deviation, **of_ase)
        if equilibrate > 0:
            warm_up = steps_in(equilibrate, timestep)
            atoms = equilibrated(atoms, model, settings, warm_up, engine, not quiet, **of_engine)
    result = run_md(atoms, model, settings, engine, outputs, resume, not quiet, **of_engine)
    print_pairs(
        [
            ("steps", f"{result.steps} ({result.time_ps[-1]:.4g} ps)"),
            ("temperature", f"{result.temperature.mean():.1f} K (mean)"),
            ("drift", f"{result.drift.value:.4f} +- {result.drift.error:.4f} meV/atom/ps (total energy)"),
            ("speed", f"{result.ns_per_day:.3f} ns/day"),
            ("wall time", f"{result.seconds:.1f} s"),
            ("files", str(folder)),
        ]
    )


def _refuse_options_of_others(engine: str) -> None:
    """Raise ConfigError for an option on the command line that the engine would ignore."""
    from sakeff.errors import ConfigError

    context = click.get_current_context()
    for name in set(ENGINE_OPTIONS["openmm"]) - set(ENGINE_OPTIONS[engine]):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise ConfigError(f"The engine {engine!r} takes no --{option}; leave it out, or use --engine openmm.")
