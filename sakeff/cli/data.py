"""``sakeff data``."""

from pathlib import Path

import click

from sakeff.cli.common import path_option, quiet_option


@click.command(short_help="Fetch rMD17 files, with checksums.")
@click.argument("molecules", nargs=-1)
@path_option("--out", required=True, help="Folder for the files.")
@click.option("--source", help="A mirror's URL, or a local folder where there is no network.")
@quiet_option
def data(molecules: tuple[str, ...], out: Path, source: str | None, quiet: bool) -> None:
    """Fetch training and test files (split 01) of revised MD17 from its public archive, and check their SHA-256.

    MOLECULES are names such as ethanol or aspirin; without any, all ten are fetched. Correct files that are there
    already are kept.
    """
    from sakeff.data.download import fetch_rmd17

    options = {} if source is None else {"source": source}
    for path in fetch_rmd17(out, list(molecules) or None, show_progress=not quiet, **options):
        click.echo(str(path))
