"""What the commands share: errors as sentences, and common options."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sakeff.errors import SakeffError

DEFAULT_MODEL = "so3krates-gfn2"
FAILED = 2
NOT_CONVERGED = 3


class Sentence(click.ClickException):
    """An error that is shown as one sentence."""

    exit_code = FAILED


class SentenceGroup(click.Group):
    """Commands in the order they were added; a SakeffError ends with its sentence unless ``--debug`` is given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The order in which they are used, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; only errors that were raised on purpose become sentences."""
        try:
            return super().invoke(ctx)
        except SakeffError as error:
            if ctx.params.get("debug"):
                raise
            raise Sentence(" ".join(str(error).split())) from error


def path_option(*names: str, **attributes: Any) -> Callable:
    """An option whose value is a ``Path``; the library says what is wrong with it."""
    return click.option(*names, type=click.Path(path_type=Path), **attributes)


def model_option(command: Callable) -> Callable:
    """``--model``, one or a committee (a list), and ``--max-deviation``."""
    text = "Bundled name, checkpoint folder or exported file; given several times, a committee (ASE only)."
    limit = "eV/A: warn once where the forces of a committee deviate by more."
    command = click.option("--max-deviation", default=0.3, show_default=True, help=limit)(command)
    return click.option(
        "--model", multiple=True, default=[DEFAULT_MODEL], show_default=True, help=text, callback=_one_or_several
    )(command)


def _one_or_several(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> str | list[str]:
    return given[0] if len(given) == 1 else list(given)


def output_options(command: Callable) -> Callable:
    """``--out`` and ``--overwrite``."""
    command = click.option("--overwrite", is_flag=True, help="Replace files that exist.")(command)
    return path_option("--out", help="Folder for all files.  [default: named after the structure]")(command)


def compute_options(command: Callable) -> Callable:
    """``--device`` and ``--dtype``."""
    dtype = click.Choice(["float32", "float64"])
    text = "Precision.  [default: float64 with ASE, float32 with OpenMM, that of an exported file]"
    command = click.option("--dtype", type=dtype, help=text)(command)
    return click.option("--device", default="cpu", show_default=True, help="Of torch: cpu, cuda or cuda:N.")(command)


def reader_option(command: Callable) -> Callable:
    """``--option KEY=VALUE``, several times, as a dictionary."""
    text = "Of the reader: labels (rMD17: revised, original), energy_key, force_key, units, level_of_theory."
    return click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help=text, callback=_pairs)(command)


def _pairs(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [option.partition("=") for option in given]
    for key, sign, value in pairs:
        if not (key and sign and value):
            raise click.BadParameter(f"{key!r} is not of the form KEY=VALUE.", param_hint="--option")
    return {key: value for key, _, value in pairs}


def quiet_option(command: Callable) -> Callable:
    """``--quiet``."""
    return click.option("--quiet", is_flag=True, help="No progress bar.")(command)


def print_pairs(pairs: list[tuple[str, str]]) -> None:
    """Names and values in two columns."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        click.echo(f"{name.ljust(width)}  {value}".rstrip())
