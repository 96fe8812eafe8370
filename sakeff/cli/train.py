"""``sakeff train``."""

from pathlib import Path

import click

from sakeff.cli.common import path_option, quiet_option

EXAMPLE = """\b
Example: sakeff train models/so3krates-gfn2/recipe.yaml --out runs/mine
"""


@click.command(epilog=EXAMPLE, short_help="Train a potential as RECIPE says.")
@click.argument("recipe", type=click.Path(path_type=Path))
@path_option("--out", required=True, help="Folder of the run.")
@click.option("--resume", is_flag=True, help="Continue the run in --out exactly where its last checkpoint left it.")
@path_option("--init-from", help="Start from the weights of this checkpoint folder (transfer).")
@click.option("--max-minutes", type=float, help="Stop after so long; --resume goes on.")
@quiet_option
def train(
    recipe: Path, out: Path, resume: bool, init_from: Path | None, max_minutes: float | None, quiet: bool
) -> None:
    """Train a potential as RECIPE (YAML or JSON) says.

    The run folder gets the checkpoint (model), metrics.jsonl, metrics.json, the state for --resume, a learning curve
    and parity plots. Killed runs lose at most the minutes since the last checkpoint. Several processes:
    torchrun --nproc-per-node 2 -m sakeff.cli train RECIPE --out RUN.
    """
    from sakeff.training.config import load_train_config
    from sakeff.training.run import train as run

    model = run(load_train_config(recipe), out, resume, init_from, max_minutes, not quiet)
    click.echo(f"The checkpoint is in {model}")
