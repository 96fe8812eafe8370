"""``sakeff train``."""

from pathlib import Path
from typing import Any

import click

from sakeff.cli.common import path_option, quiet_option, reader_option

EXAMPLES = """\b
Examples: sakeff train models/so3krates-gfn2/recipe.yaml --out runs/mine
          sakeff train --from so3krates-gfn2 --data my.extxyz --out runs/tuned
"""


@click.command(epilog=EXAMPLES, short_help="Train a potential, or fine-tune one with --from and --data.")
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@path_option("--out", required=True, help="Folder of the run.")
@click.option("--from", "start", metavar="MODEL", help="Start from this bundled name or checkpoint folder.")
@path_option("--data", multiple=True, help="Without RECIPE: fine-tune on this file (npz, extxyz, ASE database).")
@reader_option
@click.option("--resume", is_flag=True, help="Continue the run in --out exactly where its last checkpoint left it.")
@click.option("--max-minutes", type=float, help="Stop after so long; --resume goes on.")
@quiet_option
def train(
    recipe: Path | None,
    out: Path,
    start: str | None,
    data: tuple[Path, ...],
    options: dict[str, str],
    resume: bool,
    max_minutes: float | None,
    quiet: bool,
) -> None:
    """Train a potential as RECIPE (YAML or JSON) says, or fine-tune the model --from on --data.

    Fine-tuning takes 80 % of the frames to train, 10 % to validate and 10 % to test, and 3000 steps. Element energies
    are fitted to the new level of theory first. The recipe it used is train.json in the run folder, to be changed and
    given as RECIPE.

    The run folder gets the checkpoint (model), metrics.jsonl, metrics.json, the state for --resume, a learning curve
    and parity plots. Killed runs lose at most the minutes since the last checkpoint. Several processes:
    torchrun --nproc-per-node 2 -m sakeff.cli train RECIPE --out RUN.
    """
    from sakeff.training.run import train as run

    model = run(_config(recipe, start, data, options), out, resume, start, max_minutes, not quiet)
    click.echo(f"The checkpoint is in {model}")


def _config(recipe: Path | None, start: str | None, data: tuple[Path, ...], options: dict[str, str]) -> Any:
    """That of the recipe, or of fine-tuning; what does not go together is refused."""
    from sakeff.errors import ConfigError
    from sakeff.training.config import load_train_config
    from sakeff.training.fine_tune import fine_tuning_config

    if recipe is not None:
        if data or options:
            raise ConfigError(f"{recipe} names its own data; leave out --data and --option, or leave out the recipe.")
        return load_train_config(recipe)
    if not data:
        raise ConfigError("There is nothing to train on; give a RECIPE, or --data with --from.")
    if start is None:
        raise ConfigError("--data alone does not say what to train; name a model with --from, or give a RECIPE.")
    return fine_tuning_config(data, options)
