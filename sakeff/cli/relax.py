"""``sakeff relax``."""

from pathlib import Path

import click

from sakeff.cli.common import (
    NOT_CONVERGED,
    compute_options,
    model_option,
    output_options,
    path_option,
    print_pairs,
    quiet_option,
)

EXAMPLE = """\b
Example: sakeff relax riboflavin --reference riboflavin_gfn2 --out riboflavin-relaxed
"""


@click.command(epilog=EXAMPLE, short_help="Relax STRUCTURE to a minimum.")
@click.argument("structure")
@model_option
@click.option("--optimiser", default="LBFGS", show_default=True, help="LBFGS, FIRE, FIRE2, BFGS or a line search.")
@click.option("--fmax", default=0.01, show_default=True, help="Largest force at the end, eV/A.")
@click.option("--steps", default=2000, show_default=True, help="Give up after so many steps.")
@click.option("--cell", "cell_filter", help="'cell' relaxes the cell with the atoms, 'strain' the cell alone.")
@path_option("--reference", help="Report the RMSD to this structure (or bundled name).")
@output_options
@compute_options
@quiet_option
def relax(
    structure: str,
    model: str | list[str],
    max_deviation: float,
    optimiser: str,
    fmax: float,
    steps: int,
    cell_filter: str | None,
    reference: Path | None,
    out: Path | None,
    overwrite: bool,
    device: str,
    dtype: str,
    quiet: bool,
) -> None:
    """Relax STRUCTURE to a minimum with ASE's optimisers.

    Writes relaxed.xyz, trajectory.xyz and energy.png; if the numbers go non-finite, last_good.xyz. Ends with exit
    code 3 if fmax was not reached.
    """
    from sakeff.drivers import relax as run
    from sakeff.drivers import relaxation_in
    from sakeff.structures import read_structure

    atoms = read_structure(structure)
    target = None if reference is None else read_structure(reference)
    folder = out or Path(f"{Path(structure).stem}-relaxed")
    outputs = relaxation_in(folder, overwrite)
    request = (optimiser, fmax, steps, cell_filter)
    result = run(atoms, model, *request, target, outputs, not quiet, max_deviation, device=device, dtype=dtype)
    print_pairs(
        [
            ("converged", "yes" if result.converged else f"no, {steps} steps were not enough"),
            ("steps", str(result.steps)),
            ("fmax", f"{result.fmax:.5f} eV/A"),
            ("energy", f"{result.energy:.6f} eV"),
            *([] if result.rmsd is None else [("RMSD", f"{result.rmsd:.4f} A from {reference}")]),
            ("wall time", f"{result.seconds:.1f} s"),
            ("files", str(folder)),
        ]
    )
    if not result.converged:
        raise SystemExit(NOT_CONVERGED)
