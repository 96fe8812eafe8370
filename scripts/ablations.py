"""What buys accuracy: SAKE and So3krates on MD17 ethanol with one thing changed at a time, all with one short budget.

    python scripts/ablations.py train                 # what is not trained yet, about 80 seconds each on one core
    python scripts/ablations.py train --only sake
    python scripts/ablations.py table                 # models/*/ablations.json, the cards, docs/ablations.md
    python scripts/ablations.py all                   # both

Interrupted runs go on; the table keeps what it has of variants that were trained elsewhere. The recipes are those of
scripts/comparison with a rate of 3e-3 and fewer steps. Choices are made on the validation set; the errors of the test
set are shown beside it. Data are read from $SAKEFF_SHARED, by default ../shared beside this checkout.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import comparison
import torch
from recipe_runs import finished

from sakeff.card import ABLATIONS_FILE, CARD_FILE, ablation_table, make_card
from sakeff.errors import SakeffError
from sakeff.io import write_text
from sakeff.training.config import TrainConfig, parse_train_config
from sakeff.zoo import models_folder

ROOT = comparison.ROOT
STEPS = 3000
RATE = 3e-3
# Recipe of scripts/comparison -> model in whose card the table is kept.
MODELS = {"sake": "sake-md17-ethanol", "so3krates": "so3krates-md17-ethanol"}
ERROR = "force_mae_meV_per_A"

Change = dict[str, Any]  # "section.key" -> value


def in_representation(**values: Any) -> Change:
    """A change of hyperparameters of the representation."""
    return {f"potential.representation.{key}": value for key, value in values.items()}


TRAINING: dict[str, Change] = {
    "no average of the weights": {"average_decay": 0.0},
    "rate constant": {"schedule.name": "constant"},
    "rate 1e-3": {"optimizer.learning_rate": 1e-3},
    "weight decay 0.01": {"optimizer.name": "adamw", "optimizer.weight_decay": 0.01},
    "Muon instead of Adam": {"optimizer.name": "muon"},
    "loss weights 0.1 and 0.9": {"loss.energy": 0.1, "loss.forces": 0.9},
    "batches of 4, as many molecules": {"batch_size": 4, "steps": 2 * STEPS},
}
VARIANTS: dict[str, dict[str, Change]] = {
    "sake": {
        "as it is": {},
        "no spatial attention (eq. 6)": in_representation(spatial="none"),
        "no semantic attention (eq. 10)": in_representation(attention="distance"),
        "no update of velocities (eqs. 12-13)": in_representation(update="none"),
        "none of the three": in_representation(spatial="none", attention="distance", update="none"),
        "norms as printed (eq. 6)": in_representation(norm="euclidean", softening=0.02),
        "normalisation as printed (eq. 10)": in_representation(normalisation="literal"),
        "cosine envelope": in_representation(envelope="cosine"),
        "layers 2": in_representation(layers=2),
        "width and coefficients 20": in_representation(width=20, coefficients=20),
        "basis of 16": in_representation(basis_size=16),
        **TRAINING,
    },
    "so3krates": {
        "as it is": {},
        "no spherical filter (A.4)": in_representation(filters=["radial"]),
        "degree 0 alone": in_representation(degrees=[0]),
        "degree 1": in_representation(degrees=[1]),
        "degrees 1, 2": in_representation(degrees=[1, 2]),
        "couplings of odd parity too": in_representation(coupling="all"),
        "neighbourhoods normalised as printed (eq. 11)": in_representation(normalisation="neighbours"),
        "cosine envelope": in_representation(envelope="cosine"),
        "layers 2": in_representation(layers=2),
        "width 36": in_representation(width=36),
        "basis of 16": in_representation(basis_size=16),
        **TRAINING,
    },
}


def variant(config: TrainConfig, change: Change) -> TrainConfig:
    """The short recipe with one change."""
    document = json.loads(config.model_dump_json())
    short = {"optimizer.learning_rate": RATE, "steps": STEPS, "validate_every": STEPS // 6, "compile": False}
    for path, value in {**short, **change}.items():
        *sections, key = path.split(".")
        section = document
        for name in sections:
            section = section[name]
        section[key] = value
    return parse_train_config(document)


def folder_of(runs: Path, recipe: str, name: str) -> Path:
    """Where a run is kept."""
    words = "".join(letter if letter.isalnum() else "-" for letter in name)
    return runs / recipe / words


def plans(recipe: str) -> dict[str, TrainConfig]:
    """Every variant of a recipe by its name."""
    base = comparison.recipes()[recipe]
    return {name: variant(base, change) for name, change in VARIANTS[recipe].items()}


def document_of(recipe: str, runs: Path, before: Path) -> dict[str, Any]:
    """Protocol and one row for each variant; see `row` for those that were not trained in `runs`."""
    configs = plans(recipe)
    first = configs["as it is"]
    shared = {"steps": STEPS, "batch_size": first.batch_size, "learning_rate": RATE, "seed": first.seed}
    about = {"base": first.potential["representation"], "protocol": shared}
    kept = known_rows(before, about)
    rows = [row(name, config, folder_of(runs, recipe, name), kept) for name, config in configs.items()]
    return {**about, "rows": rows}


def known_rows(before: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Rows of an earlier table by their names; none if it was made from another start or by another protocol."""
    if not before.is_file():
        return {}
    found = comparison.read_json(before)
    same = all(found[key] == value for key, value in about.items())
    return {one["change"]: one for one in found["rows"]} if same else {}


def row(name: str, config: TrainConfig, folder: Path, kept: dict[str, Any]) -> dict[str, Any]:
    """Force errors (meV/A) of one variant: of its run, else those in the earlier table, else none."""
    if not finished(config, folder):
        return kept.get(name, {"change": name})
    metrics = comparison.read_json(folder / "metrics.json")
    return {"change": name, **{split: metrics[split][ERROR] for split in ("validation", "test")}}


def write_tables(runs: Path, docs: Path, models: Path) -> None:
    """models/*/ablations.json, the cards that show them, and docs/ablations.md."""
    parts = [
        "# What buys accuracy\n\nWritten by `python scripts/ablations.py table`. The same tables are in the cards."
    ]
    for recipe, model in MODELS.items():
        found = document_of(recipe, runs, models / model / ABLATIONS_FILE)
        if not any("test" in one for one in found["rows"]):
            parts += [f"## {comparison.TITLES[recipe]}", "Not trained yet."]
            continue
        write_text(models / model / ABLATIONS_FILE, json.dumps(found, indent=1) + "\n", overwrite=True)
        write_text(models / model / CARD_FILE, make_card(models / model), overwrite=True)
        parts += [f"## {comparison.TITLES[recipe]}", ablation_table(found).strip()]
    page = "\n\n".join(parts) + "\n"
    write_text(docs / "ablations.md", page, overwrite=True)
    print(page)


def train_missing(recipe: str, runs: Path) -> None:
    """Every variant that is not trained yet."""
    for name, config in plans(recipe).items():
        comparison.complete(config, folder_of(runs, recipe, name))


def main(arguments: list[str] | None = None) -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["train", "table", "all"])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ablations", help="folder of all runs")
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS), help="recipes to train")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if options.command in ("train", "all"):
        for recipe in options.only:
            train_missing(recipe, options.runs)
    if options.command in ("table", "all"):
        write_tables(options.runs, ROOT / "docs", models_folder())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SakeffError as error:
        sys.exit(str(error))
