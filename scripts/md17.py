"""MD17: SAKE and So3krates on the seven molecules of SAKE's Table 1, beside the printed errors.

    python scripts/md17.py train --runs runs/md17 --only so3krates-malonaldehyde
    python scripts/md17.py table --runs runs/md17        # docs/md17.json and docs/md17.md

The recipes are those of the bundled ethanol models with another molecule; the rows of ethanol are these models. `train`
goes on where it stopped. `table` adds what is finished in the folder of runs to what was measured before. Data:
original MD17 labels, split 01, read from $SAKEFF_SHARED, by default ../shared beside this checkout.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import recipe_runs
from ase import units
from shared_data import SHARED

from sakeff.checkpoint import read_document
from sakeff.errors import ConfigError, SakeffError
from sakeff.io import write_text
from sakeff.training.config import TrainConfig, load_train_config
from sakeff.training.run import train
from sakeff.zoo import models_folder

ROOT = Path(__file__).resolve().parent.parent
DATA = SHARED / "data"
DOCUMENT = ROOT / "docs" / "md17.json"
ARCHITECTURES = {"sake": "SAKE", "so3krates": "So3krates"}
# In the order in which they are to be trained: molecule -> its name in the files.
MOLECULES = {
    "ethanol": "ethanol",
    "malonaldehyde": "malonaldehyde",
    "uracil": "uracil",
    "toluene": "toluene",
    "salicylic acid": "salicylic",
    "naphthalene": "naphthalene",
    "aspirin": "aspirin",
}
KEPT = ("energy_mae_meV", "force_mae_meV_per_A")
KCAL = 1000.0 * units.kcal / units.mol  # meV

# (energy in meV, forces in meV/A): SAKE, Table 1; So3krates, Table 1, which prints kcal/mol.
PRINTED = {
    "sake": {
        "ethanol": (2.20, 2.75),
        "malonaldehyde": (3.22, 4.32),
        "uracil": (4.51, 4.26),
        "toluene": (4.00, 2.10),
        "salicylic acid": (4.67, 4.29),
        "naphthalene": (4.91, 2.25),
        "aspirin": (5.91, 8.09),
    },
    "so3krates": {
        "ethanol": (0.052 * KCAL, 0.096 * KCAL),
        "malonaldehyde": (0.077 * KCAL, 0.147 * KCAL),
        "uracil": (0.103 * KCAL, 0.111 * KCAL),
        "toluene": (0.095 * KCAL, 0.073 * KCAL),
        "salicylic acid": (0.106 * KCAL, 0.145 * KCAL),
        "naphthalene": (0.115 * KCAL, 0.074 * KCAL),
        "aspirin": (0.139 * KCAL, 0.236 * KCAL),
    },
}

# Hyperparameters for ethanol: SAKE, Table 8; So3krates, Table 7 and A.13. None: not printed.
PAPER: dict[str, dict[str, Any]] = {
    "sake": {"width": 32, "layers": 8, "cutoff": 10.0, "batch size": 4, "learning rate": 1e-3, "epochs": 5000,
             "validation frames": None},
    "so3krates": {"width": 132, "layers": 6, "cutoff": 5.0, "batch size": 8, "learning rate": 1e-3, "epochs": 4000,
                  "validation frames": 1000},
}  # fmt: skip

INTRODUCTION = """# MD17

Written by `python scripts/md17.py table`. Energy MAE in meV and force MAE in meV/A on the test file of split 01
(original labels), trained on 950 of its 1,000 training configurations with 50 to choose the weights. In brackets what
the paper of the architecture prints (its Table 1, 1,000 configurations, other splits). One training each."""


RECIPES = """Every molecule is trained by the recipe of the bundled ethanol model. Trainings with another optimiser than
that of ethanol, see below, are of an earlier recipe with the same network. The table has the hyperparameters of the
recipes and, in brackets, what the papers print for ethanol. SAKE's paper has other sizes for other molecules (width 64
for malonaldehyde and uracil, a cutoff of 5 for uracil). Our rates follow a cosine."""
LAST = "Trainings:"


def bundled(architecture: str) -> Path:
    """The folder of the ethanol model."""
    return models_folder() / f"{architecture}-md17-ethanol"


def recipe_of(architecture: str) -> TrainConfig:
    """That of the ethanol model."""
    return load_train_config(bundled(architecture) / "recipe.yaml")


def recipes() -> dict[str, TrainConfig]:
    """`sake-uracil` and so on, all but ethanol."""
    return {
        f"{architecture}-{file}": for_molecule(recipe_of(architecture), file)
        for file in MOLECULES.values()
        for architecture in ARCHITECTURES
        if file != "ethanol"
    }


def for_molecule(config: TrainConfig, file: str) -> TrainConfig:
    """The recipe with the data of another molecule."""
    paths = {"path": f"rmd17_{file}_train_01.npz", "test_path": f"rmd17_{file}_test_01.npz"}
    located = {key: str(DATA / "rmd17" / name) for key, name in paths.items()}
    return config.model_copy(update={"data": config.data.model_copy(update=located)})


def train_missing(arguments: argparse.Namespace) -> None:
    """Train, or go on with, what is named."""
    known = recipes()
    unknown = sorted(set(arguments.only) - set(known))
    if unknown:
        raise ConfigError(f"There are no recipes {unknown}; choose from {sorted(known)}.")
    recipe_runs.train_missing({name: known[name] for name in arguments.only}, arguments.runs, train)


def measured(runs: Path | None, earlier: dict[str, Any]) -> dict[str, Any]:
    """Errors of the bundled models and of finished runs; earlier ones stay where there is no run."""
    found = dict(earlier)
    for architecture in ARCHITECTURES:
        metrics = read_document(bundled(architecture))["provenance"]["metrics"]
        found[f"{architecture}-ethanol"] = row(metrics, recipe_of(architecture))
    for name, recipe in recipes().items() if runs is not None else ():
        if recipe_runs.finished(recipe, runs / name):
            found[name] = row(json.loads((runs / name / "metrics.json").read_text(encoding="utf-8")), recipe)
    return found


def row(metrics: dict[str, Any], recipe: TrainConfig) -> dict[str, Any]:
    """What the table needs of a run."""
    errors = {key: metrics["test"][key] for key in (*KEPT, "frames")}
    return {**errors, **{key: metrics[key] for key in ("steps", "minutes")}, "optimizer": recipe.optimizer.name}


def as_markdown(found: dict[str, Any]) -> str:
    """The page."""
    titles = [f"{title}: {quantity}" for title in ARCHITECTURES.values() for quantity in ("energy", "forces")]
    lines = [f"| molecule | {' | '.join(titles)} |", "| --- " * (1 + len(titles)) + "|"]
    for molecule, file in MOLECULES.items():
        cells = [cell for name in ARCHITECTURES for cell in cells_of(found.get(f"{name}-{file}"), name, molecule)]
        lines.append(f"| {molecule} | {' | '.join(cells)} |")
    budgets = [budget(name, found[name]) for name in sorted(found)]
    return "\n\n".join([INTRODUCTION, "\n".join(lines), RECIPES, deviations(), LAST, "\n".join(budgets)]) + "\n"


def budget(name: str, one: dict[str, Any]) -> str:
    """How long a training was, and by which optimiser."""
    return f"- {name}: {one['steps']:,} steps of {one['optimizer']}, {one['minutes']:.0f} minutes"


def hyperparameters(config: TrainConfig) -> dict[str, Any]:
    """Those that the papers print."""
    network = (config.potential or {})["representation"]
    return {
        **{key: network[key] for key in ("width", "layers", "cutoff")},
        "batch size": config.batch_size,
        "learning rate": config.optimizer.learning_rate,
        "epochs": round(config.steps * config.batch_size / config.data.train),
        "validation frames": round(config.data.validation),
    }


def deviations() -> str:
    """Our hyperparameters beside those of the papers for ethanol."""
    lines = [f"| | {' | '.join(ARCHITECTURES.values())} |", "| --- " * (1 + len(ARCHITECTURES)) + "|"]
    ours = {name: hyperparameters(recipe_of(name)) for name in ARCHITECTURES}
    for key in PAPER["sake"]:
        cells = [_beside(ours[name][key], PAPER[name][key]) for name in ARCHITECTURES]
        lines.append(f"| {key} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _beside(ours: float, printed: float | None) -> str:
    return f"{ours:g}" if printed is None else f"{ours:g} ({printed:g})"


def cells_of(one: dict[str, Any] | None, architecture: str, molecule: str) -> list[str]:
    """Our error and the printed one, for energy and forces."""
    ours = ["not trained"] * 2 if one is None else [f"{one[key]:.2f}" for key in KEPT]
    printed = PRINTED[architecture][molecule]
    return [f"{mine} ({theirs:.2f})" for mine, theirs in zip(ours, printed, strict=True)]


def write_table(arguments: argparse.Namespace) -> None:
    """docs/md17.json and docs/md17.md."""
    earlier = json.loads(DOCUMENT.read_text(encoding="utf-8")) if DOCUMENT.is_file() else {}
    found = measured(arguments.runs, earlier)
    write_text(DOCUMENT, json.dumps(found, indent=1, sort_keys=True) + "\n", overwrite=True)
    write_text(DOCUMENT.with_suffix(".md"), page := as_markdown(found), overwrite=True)
    print(page)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    training = commands.add_parser("train", help=train_missing.__doc__)
    training.add_argument("--runs", type=Path, required=True, help="folder of all runs")
    training.add_argument("--only", nargs="+", metavar="RUN", required=True, help="sake-uracil and so on")
    training.set_defaults(run=train_missing)
    table = commands.add_parser("table", help=write_table.__doc__)
    table.add_argument("--runs", type=Path, help="folder of all runs")
    table.set_defaults(run=write_table)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
