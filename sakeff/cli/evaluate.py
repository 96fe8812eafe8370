"""``sakeff evaluate``."""

import json
from pathlib import Path

import click

from sakeff.cli.common import path_option, print_pairs, reader_option

EXAMPLE = """\b
Example: sakeff evaluate so3krates-md17-ethanol rmd17_ethanol_test_01.npz --option labels=original
"""


@click.command(epilog=EXAMPLE, short_help="Report the errors of MODEL on labelled structures.")
@click.argument("model")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path))
@reader_option
@click.option("--batch-size", default=32, show_default=True)
@click.option("--device", default="cpu", show_default=True)
@path_option("--out", help="Write the metrics to this JSON file.")
@path_option("--plot", help="Write a parity plot to this PNG file.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def evaluate(
    model: str,
    data: tuple[Path, ...],
    options: dict[str, str],
    batch_size: int,
    device: str,
    out: Path | None,
    plot: Path | None,
    overwrite: bool,
) -> None:
    """Report the errors of MODEL (a bundled name or checkpoint folder) on labelled structures.

    DATA is one or more files: npz, extxyz or an ASE database.
    """
    from sakeff.data.read import read_frames
    from sakeff.engines.models import check_device
    from sakeff.io import refuse_existing, write_text
    from sakeff.training.evaluate import evaluate as run
    from sakeff.zoo import load_potential

    for path in (out, plot):
        if path is not None:
            refuse_existing(path, overwrite)
    check_device(device)
    frames = read_frames(list(data), **options)
    result = run(load_potential(model), frames, batch_size, device)
    print_pairs([(name, f"{value:.6g}") for name, value in result.metrics.items()])
    if out is not None:
        write_text(out, json.dumps(result.metrics, indent=2) + "\n", overwrite)
    if plot is not None:
        from sakeff.training.plots import plot_parity

        plot_parity(frames, result, plot)
