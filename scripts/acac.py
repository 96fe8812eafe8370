"""Acetylacetone at 300 K: So3krates from scratch, and fewer points where a general model is fine-tuned.

    python scripts/acac.py train --runs runs/acac
    python scripts/acac.py train --runs runs/acac --only full fine-tuned-100
    python scripts/acac.py table --runs runs/acac

Data: ../shared/data/acac (PBE-D3/def2-SVP), 500 configurations at 300 K to train on and 650 others to test on. A point
is a labelled configuration; a fifth of the points (a tenth of all 500) chooses the weights and is not trained on.
`train` goes on where it stopped, and trains anew what another recipe or another model would make different. `table`
writes docs/acac.json, docs/acac.md and docs/acac.png from what is finished.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from recipe_runs import finished, has_state
from shared_data import SHARED

from sakeff.checkpoint import read_document
from sakeff.errors import ConfigError
from sakeff.io import atomic_path, write_text
from sakeff.training.config import TrainConfig, load_train_config
from sakeff.training.run import train
from sakeff.zoo import load_trainable, resolve_model

ROOT = Path(__file__).resolve().parent.parent
DATA = SHARED / "data" / "acac"
TRAIN, TEST = DATA / "train_300K.xyz", DATA / "test_MD_300K.xyz"
RECIPES = ROOT / "scripts" / "acac"
MODEL = "so3krates-gfn2"
POINTS = (50, 100, 200, 500)
VALIDATION = 0.2  # of the points
ERRORS = {"force_rmse_meV_per_A": "force RMSE (meV/A)", "energy_rmse_meV": "energy RMSE (meV)"}

INTRODUCTION = """# Acetylacetone at 300 K

Written by `python scripts/acac.py table`. Trained on configurations of the 300 K set (PBE-D3/def2-SVP), tested on the
650 configurations of the 300 K test set. Points count everything that was labelled, also the fifth of them (a tenth in
`full`) that chose the weights. `scratch` starts from random weights, `fine-tuned` from `{model}`, which learned another
level of theory; both have the same network and number of steps, and a rate that suits each ({rates}). `full` is a
longer run from random weights. Published equivariant models that trained on all 500 reach about 6 meV/A and 1 meV."""


class Recipe(NamedTuple):
    """One training run."""

    name: str
    start: str | None  # a model, or random weights
    points: int
    config: TrainConfig

    def folder(self, runs: Path) -> Path:
        """Named after everything that decides about the result, so that no stale run is taken for this one."""
        weights = None if self.start is None else read_document(resolve_model(self.start))["weights_sha256"]
        content = json.dumps([self.config.fixed_on_resume(), weights], sort_keys=True)
        return runs / f"{self.name}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def recipes(model: str) -> list[Recipe]:
    """All points from scratch, then the learning curves from scratch and from the model."""
    full = with_data(load_train_config(RECIPES / "full.yaml"))
    found = [Recipe("full", None, int(full.data.train + full.data.validation), full)]
    network = {"representation": load_trainable(model).config.representation}
    for kind, start, changes in (("scratch", None, {"potential": network}), ("fine-tuned", model, {})):
        config = load_train_config(RECIPES / f"{kind}.yaml").model_copy(update=changes)
        found += [Recipe(f"{kind}-{points}", start, points, with_data(config, points)) for points in POINTS]
    return found


def with_data(config: TrainConfig, points: int | None = None) -> TrainConfig:
    """The files where they are here, and so many points if asked for."""
    changes: dict[str, Any] = {"path": str(TRAIN), "test_path": str(TEST)}
    if points is not None:
        validation = round(VALIDATION * points)
        changes.update(train=points - validation, validation=validation)
    return config.model_copy(update={"data": config.data.model_copy(update=changes)})


def chosen(found: list[Recipe], only: list[str] | None) -> list[Recipe]:
    """Those that were named. Raises ConfigError for a name that is none."""
    names = [recipe.name for recipe in found]
    unknown = sorted(set(only or []) - set(names))
    if unknown:
        raise ConfigError(f"There are no recipes {unknown}; choose from {names}.")
    return [recipe for recipe in found if not only or recipe.name in only]


def train_missing(arguments: argparse.Namespace) -> None:
    """Train, or go on with, every recipe whose run is not finished; the time limit holds for each."""
    for recipe in chosen(recipes(arguments.start), arguments.only):
        folder = recipe.folder(arguments.runs)
        if not finished(recipe.config, folder):
            print(f"training {recipe.name} in {folder}")
            resume = has_state(folder)
            config = recipe.config.model_copy(update={"compile": arguments.compile})
            train(config, folder, resume, None if resume else recipe.start, arguments.max_minutes)


def measured(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """One row from a finished run."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {
        "run": recipe.name,
        "start": recipe.start or "random weights",
        "points": recipe.points,
        "parameters": sum(value.numel() for value in load_trainable(folder / "model").potential.parameters()),
        **{key: metrics["test"][key] for key in (*ERRORS, "frames")},
        "steps": metrics["steps"],
        "minutes": metrics["minutes"],
    }


def curve(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The rows of a learning curve by rising points."""
    return sorted((row for row in rows if row["run"].startswith(f"{kind}-")), key=lambda row: row["points"])


def equivalent_points(rows: list[dict[str, Any]], key: str, error: float) -> float | None:
    """Points from scratch that give this error, between those measured (linear in logarithms); None outside them."""
    points, errors = (np.log([row[name] for row in curve(rows, "scratch")]) for name in ("points", key))
    if len(points) == 0 or np.any(np.diff(errors) >= 0) or not errors[-1] <= np.log(error) <= errors[0]:
        return None
    return float(np.exp(np.interp(-np.log(error), -errors, points)))


def worth(rows: list[dict[str, Any]], key: str, error: float) -> str | None:
    """Which runs from scratch have this error, in words; None where their errors do not fall with the points."""
    scratch = curve(rows, "scratch")
    if scratch and error < min(row[key] for row in scratch):
        return f"less than any run from scratch with up to {scratch[-1]['points']} points"
    points = equivalent_points(rows, key, error)
    return None if points is None else f"that of {round(points)} points from scratch"


def as_markdown(rows: list[dict[str, Any]], model: str) -> str:
    """The page: a table of all runs, trained or not, and how many points from scratch each fine-tuned run is worth."""
    lines = [
        f"| run | points | {' | '.join(ERRORS.values())} | parameters | steps | minutes |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    measured_runs = {row["run"]: row for row in rows}
    planned = recipes(model)
    for recipe in planned:
        row = measured_runs.get(recipe.name)
        cells = ["not trained", *[""] * 4] if row is None else _cells(row)
        lines.append(f"| {recipe.name} | {recipe.points} | {' | '.join(cells)} |")
    rates = {recipe.name.split("-")[0]: recipe.config.optimizer.learning_rate for recipe in planned}
    said = f"{rates['scratch']:g} from random weights, {rates['fine']:g} from the model"
    found: dict[str, list[str]] = {}
    for row in curve(rows, "fine-tuned"):
        for key, label in ERRORS.items():
            if (words := worth(rows, key, row[key])) is not None:
                found.setdefault(f"{label.split(' (')[0]} is {words}", []).append(str(row["points"]))
    told = [f"- Fine-tuned with {', '.join(points)} points, the {words}." for words, points in found.items()]
    parts = [
        INTRODUCTION.format(model=model, rates=said),
        "\n".join(lines),
        "\n".join(told),
        "![learning curves](acac.png)",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _cells(row: dict[str, Any]) -> list[str]:
    return [*(f"{row[key]:.1f}" for key in ERRORS), *(str(row[key]) for key in ("parameters", "steps", "minutes"))]


def plot(rows: list[dict[str, Any]]) -> Figure:
    """Learning curves of both errors, logarithmic."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for panel, (key, label) in zip(figure.subplots(1, 2), ERRORS.items(), strict=True):
        for kind in ("scratch", "fine-tuned"):
            found = curve(rows, kind)
            panel.loglog([row["points"] for row in found], [row[key] for row in found], "o-", label=kind)
        panel.set(xlabel="points", ylabel=label)
        panel.set_xticks(POINTS, [str(points) for points in POINTS], minor=False)
        panel.legend()
    return figure


def write_table(arguments: argparse.Namespace) -> None:
    """docs/acac.json, .md and .png."""
    folders = {recipe.name: (recipe, recipe.folder(arguments.runs)) for recipe in recipes(arguments.start)}
    rows = [measured(recipe, folder) for recipe, folder in folders.values() if finished(recipe.config, folder)]
    if not rows:
        raise ConfigError(f"No run in {arguments.runs} is finished; train first.")
    page = as_markdown(rows, arguments.start)
    write_text(arguments.docs / "acac.json", json.dumps(rows, indent=1) + "\n", overwrite=True)
    write_text(arguments.docs / "acac.md", page, overwrite=True)
    with atomic_path(arguments.docs / "acac.png", overwrite=True) as temporary:
        plot(rows).savefig(temporary, dpi=150)
    print(page)


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, function in (("train", train_missing), ("table", write_table)):
        command = commands.add_parser(name, help=function.__doc__)
        command.add_argument("--runs", type=Path, required=True, help="folder of all runs")
        command.add_argument("--from", dest="start", default=MODEL, help="bundled name or checkpoint folder")
        command.set_defaults(run=function)
        if name == "train":
            command.add_argument("--only", nargs="+", metavar="RUN", help="full, scratch-N, fine-tuned-N")
            command.add_argument("--max-minutes", type=float, help="stop each run after so long; the next call goes on")
            command.add_argument("--compile", action="store_true", help="compile the gradient first (minutes, once)")
        else:
            command.add_argument("--docs", type=Path, default=ROOT / "docs")
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
