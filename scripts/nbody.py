"""The charged N-body task: data, training, and the table of all architectures.

    python scripts/nbody.py generate --out runs/nbody/data
    python scripts/nbody.py train scripts/nbody/sake.yaml --out runs/nbody/sake
    python scripts/nbody.py table --runs runs/nbody

`table` alone is enough: it makes the data if there are none, trains every recipe of scripts/nbody that is not trained
yet (interrupted runs go on), then writes docs/nbody.json and docs/nbody.md. With `--only-finished` it trains nothing.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import yaml
from recipe_runs import finished, train_missing

from sakeff.forecasting.baseline import linear_errors
from sakeff.forecasting.charged import Protocol
from sakeff.forecasting.config import ForecastConfig, load_forecast_config
from sakeff.forecasting.dataset import SIZES, generate, load_sets
from sakeff.forecasting.run import train_forecaster
from sakeff.io import write_text

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "scripts" / "nbody"
PUBLISHED = RECIPES / "published.yaml"

INTRODUCTION = """# Forecasting charged particles

Written by `python scripts/nbody.py table`. Five particles of charge +-1 move by Coulomb's law, clipped at 0.1/dt
(`sakeff/forecasting/charged.py`); 3,000 systems to train on, 2,000 to validate, 2,000 to test. Mean squared errors
over particles and components of the test set, with the weights that were best on the validation set. Compare only
within a protocol; published numbers belong to the authors' own draw of the data.

All models here see charges up to a common sign, positions and velocities relative to the centre of mass, and (from 30
to 40) each pair of frames also backwards in time, which the integrator allows. From 30 to 35 they train on pairs that
start at any stored frame, as the public code of that protocol does; how far below the published errors they come may
say more about the amount of data than about the models."""


def protocol_of(config: ForecastConfig) -> str:
    """Name of a protocol, e.g. "30 -> 40: positions"."""
    task = config.task
    return f"{task.input_frame} -> {task.target_frame}: {', '.join(sorted(task.targets))}"


def recipes() -> dict[str, ForecastConfig]:
    """Every recipe by its name."""
    return {path.stem: load_forecast_config(path) for path in sorted(RECIPES.glob("*.yaml")) if path != PUBLISHED}


def measured(name: str, config: ForecastConfig, folder: Path) -> dict[str, Any]:
    """One row from a finished run."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {
        "model": name,
        "representation": config.representation["name"],
        **metrics["test"],
        "validation": metrics["validation"],
        "parameters": metrics["parameters"],
        "steps": metrics["steps"],
        "minutes": metrics["minutes"],
        "data": metrics["data"],
    }


def collect(configs: dict[str, ForecastConfig], runs: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of every protocol: published, the linear forecast, and what was trained here."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, config in configs.items():
        if not finished(config, runs / name):
            continue
        rows = found.setdefault(protocol_of(config), [])
        if not rows:
            errors = linear_errors(load_sets(Path(config.task.folder)), config.task)
            rows.append({"model": "linear", "representation": "none", **errors})
        rows.append(measured(name, config, runs / name))
    published = yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
    return {protocol: [*published.get(protocol, []), *rows] for protocol, rows in found.items()}


def as_markdown(tables: dict[str, list[dict[str, Any]]]) -> str:
    """One table for each protocol."""
    parts = [INTRODUCTION]
    for protocol, rows in sorted(tables.items()):
        keys = sorted({key for row in rows for key in row if key.startswith("mse_")})
        header = ["model", *[key.replace("_", " ") for key in keys], "parameters", "minutes", "source"]
        lines = [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}"]
        for row in rows:
            errors = [f"{row[key]:.5f}" if key in row else "" for key in keys]
            cost = [row.get("parameters", ""), row.get("minutes", "")]
            cells = [row["model"], *errors, *cost, row.get("source", "here")]
            lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
        parts += [f"## Frames {protocol}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def write_table(arguments: argparse.Namespace) -> None:
    """docs/nbody.json and docs/nbody.md."""
    configs = recipes()
    if not arguments.only_finished:
        generate_missing(configs)
        train_missing(configs, arguments.runs, train_forecaster)
    tables = collect(configs, arguments.runs)
    write_text(arguments.docs / "nbody.json", json.dumps(tables, indent=1) + "\n", overwrite=True)
    write_text(arguments.docs / "nbody.md", as_markdown(tables), overwrite=True)
    print(as_markdown(tables))


def generate_missing(configs: dict[str, ForecastConfig]) -> None:
    """The data sets of all recipes that are not there yet, with seed 0."""
    for folder in sorted({Path(config.task.folder) for config in configs.values()}):
        if not folder.exists():
            generate(folder, 0, SIZES, Protocol())


def write_data(arguments: argparse.Namespace) -> None:
    """The three sets."""
    for path in generate(arguments.out, arguments.seed, SIZES, Protocol(), arguments.overwrite):
        print(path)


def train(arguments: argparse.Namespace) -> None:
    """One recipe."""
    config = load_forecast_config(arguments.recipe)
    print(json.dumps(train_forecaster(config, arguments.out, arguments.resume, arguments.max_minutes), indent=2))


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("generate", help="simulate the data set, a few seconds")
    command.add_argument("--out", type=Path, required=True, help="folder of the sets")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--overwrite", action="store_true")
    command.set_defaults(run=write_data)
    command = commands.add_parser("train", help="train one recipe")
    command.add_argument("recipe", type=Path)
    command.add_argument("--out", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="continue the run in --out")
    command.add_argument("--max-minutes", type=float, help="stop after so long; --resume goes on")
    command.set_defaults(run=train)
    command = commands.add_parser("table", help="train what is missing and write the tables")
    command.add_argument("--runs", type=Path, required=True, help="folder of all runs")
    command.add_argument("--docs", type=Path, default=ROOT / "docs")
    command.add_argument("--only-finished", action="store_true", help="train nothing")
    command.set_defaults(run=write_table)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
