"""``sakeff export``."""

from pathlib import Path

import click

from sakeff.cli.common import path_option

EXAMPLE = """\b
Example: sakeff export runs/mine --out mine.pt --dtype float64
"""


@click.command(epilog=EXAMPLE, short_help="Write MODEL as a TorchScript file that runs alone.")
@click.argument("model")
@path_option("--out", required=True, help="The file to write, for example program.pt.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", show_default=True)
@click.option("--skin", type=float, help="Of the neighbour lists, A.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def export(model: str, out: Path, dtype: str, skin: float | None, overwrite: bool) -> None:
    """Write MODEL (a bundled name or checkpoint folder) as a TorchScript file that runs with torch alone.

    The file takes any molecule or box of its elements, checks its input, and carries a header that sakeff info prints.
    It is compared with the model it comes from before it is written. Where a compiler is, a second, faster file that
    needs this machine's C++ operators is written beside it (program.native.pt) and used when the first is opened.
    """
    from sakeff.checkpoint import load_checkpoint
    from sakeff.errors import CheckpointError
    from sakeff.export.torchscript import export_both
    from sakeff.zoo import resolve_model

    path = resolve_model(model)
    if path.is_file():
        raise CheckpointError(f"{path} is exported already; give the folder of its checkpoint.")
    checkpoint = load_checkpoint(path)
    options = {} if skin is None else {"skin": skin}
    potential, provenance = checkpoint.potential, checkpoint.provenance
    for file in export_both(potential, out, provenance, dtype=dtype, overwrite=overwrite, **options):
        click.echo(f"{file}: {dtype}, {file.stat().st_size:,} bytes, agrees with the model")
