"""All architectures on MD17 ethanol: same data, same molecules seen, sizes of one order; errors, weights and times.

    python scripts/comparison.py train                # every recipe of scripts/comparison that is not trained yet
    python scripts/comparison.py train --only sinet
    python scripts/comparison.py table                # docs/comparison.json and docs/comparison.md from finished runs
    python scripts/comparison.py all                  # both

Interrupted runs go on. One rule sets the learning rate of all: each rate of `RATES` is tried for `TRIAL_STEPS` steps
with a schedule of that length, and the one with the smaller force error on the validation set is taken; the test set
is not read. Data are read from $SAKEFF_SHARED, by default ../shared beside this checkout.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Iterable

import recipe_runs
import torch
from comparison_page import as_markdown
from comparison_times import time_models
from recipe_runs import finished
from shared_data import SHARED

from sakeff.checkpoint import load_checkpoint
from sakeff.errors import ConfigError, SakeffError
from sakeff.io import write_text
from sakeff.training.config import TrainConfig, load_train_config
from sakeff.training.run import train

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "scripts" / "comparison"
# Recipe -> name in the table, in the order of the table.
TITLES = {
    "sake": "SAKE",
    "so3krates": "So3krates",
    "so3krates-nonlocal": "So3krates, non-local",
    "invariant-attention-e3": "invariant attention, E(3)",
    "invariant-attention-se3": "invariant attention, SE(3)",
    "sinet": "SINet",
    "siformer": "SiFormer",
}
RATES = (1e-3, 3e-3)
TRIAL_STEPS = 500
JUDGE = "force_mae_meV_per_A"  # of the validation set

Recipes = dict[str, TrainConfig]


# ---------------------------------------------------------------- recipes and their runs


def recipes() -> Recipes:
    """Every recipe by its name, with the paths of the data as they are here."""
    return {name: located(load_train_config(RECIPES / f"{name}.yaml")) for name in TITLES}


def located(config: TrainConfig) -> TrainConfig:
    """The recipe with paths below the folder of the data."""
    paths = {name: str(SHARED / getattr(config.data, name)) for name in ("path", "test_path")}
    return config.model_copy(update={"data": config.data.model_copy(update=paths)})


def with_rate(config: TrainConfig, rate: float) -> TrainConfig:
    """The recipe with another learning rate."""
    return config.model_copy(update={"optimizer": config.optimizer.model_copy(update={"learning_rate": rate})})


def trial_of(config: TrainConfig, rate: float) -> TrainConfig:
    """A short run with this rate, without a test set; compiling it would take longer than it does."""
    data = config.data.model_copy(update={"test_path": None})
    changes = {"data": data, "steps": TRIAL_STEPS, "validate_every": TRIAL_STEPS, "compile": False}
    return with_rate(config, rate).model_copy(update=changes)


def trial_folder(runs: Path, name: str, rate: float) -> Path:
    """Where a trial is kept."""
    return runs / "trials" / f"{name}-{rate:g}"


def complete(config: TrainConfig, folder: Path) -> dict[str, Any]:
    """Train, or go on, unless the run is finished; its metrics."""
    return recipe_runs.complete(config, folder, train)


def trials(config: TrainConfig, runs: Path, name: str) -> dict[float, float]:
    """Rate -> error on the validation set after a trial; trains those that are missing."""
    return {
        rate: complete(trial_of(config, rate), trial_folder(runs, name, rate))["validation"][JUDGE] for rate in RATES
    }


def best(errors: dict[float, float]) -> float:
    """The rate with the smallest error."""
    return min(errors, key=lambda rate: errors[rate])


def train_missing(configs: Recipes, runs: Path) -> None:
    """Trials and the run of every recipe that is not trained yet."""
    for name, config in configs.items():
        complete(with_rate(config, best(trials(config, runs, name))), runs / name)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


# ---------------------------------------------------------------- the table


def tried(config: TrainConfig, runs: Path, name: str) -> bool:
    """Whether all trials of a recipe are finished."""
    return all(finished(trial_of(config, rate), trial_folder(runs, name, rate)) for rate in RATES)


def trained(configs: Recipes, runs: Path) -> Recipes:
    """Those whose trials and run are finished, with the rate that they were trained with."""
    found: Recipes = {}
    for name, config in configs.items():
        if tried(config, runs, name):
            full = with_rate(config, best(trials(config, runs, name)))
            found.update({name: full} if finished(full, runs / name) else {})
    return found


def measured(config: TrainConfig, runs: Path, name: str) -> dict[str, Any]:
    """What a finished run says about one architecture."""
    metrics = read_json(runs / name / "metrics.json")
    checkpoint = load_checkpoint(runs / name / "model")
    return {
        "model": TITLES[name],
        "representation": checkpoint.config.representation,
        "parameters": sum(weight.numel() for weight in checkpoint.potential.parameters()),
        "learning_rate": config.optimizer.learning_rate,
        "trials": {f"{rate:g}": error for rate, error in trials(config, runs, name).items()},
        "validation": metrics["validation"],
        "test": metrics["test"],
        "minutes": metrics["minutes"],
    }


def protocol(config: TrainConfig) -> dict[str, Any]:
    """What all recipes share, without the folders of this machine."""
    document = json.loads(config.model_dump_json(exclude={"potential", "device", "checkpoint_minutes"}))
    document["optimizer"].pop("learning_rate")
    document["data"].update({name: Path(document["data"][name]).name for name in ("path", "test_path")})
    return {**document, "molecules_seen": config.batch_size * (config.steps or 0), "trial_steps": TRIAL_STEPS}


def collect(configs: Recipes, runs: Path) -> dict[str, Any]:
    """The document: protocol, rows of the finished runs, times, and where they were measured."""
    done = trained(configs, runs)
    if not done:
        raise ConfigError(f"No run in {runs} is finished; first run: python scripts/comparison.py train")
    rows = {name: measured(config, runs, name) for name, config in done.items()}
    times = time_models(done, {name: runs / name / "model" for name in done})
    for name, row in rows.items():
        row.update(times["models"][name])
    missing = [TITLES[name] for name in configs if name not in done]
    shared = protocol(next(iter(configs.values())))
    return {"protocol": shared, "rows": rows, "not_trained": missing, "measured": times["measured"]}


def write_table(configs: Recipes, runs: Path, docs: Path) -> None:
    """docs/comparison.json and docs/comparison.md."""
    document = collect(configs, runs)
    page = as_markdown(document)
    write_text(docs / "comparison.json", json.dumps(document, indent=1) + "\n", overwrite=True)
    write_text(docs / "comparison.md", page, overwrite=True)
    print(page)


def chosen(configs: Recipes, names: Iterable[str] | None) -> Recipes:
    """Those with these names, or all."""
    return configs if names is None else {name: configs[name] for name in names}


def main(arguments: list[str] | None = None) -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["train", "table", "all"])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "comparison", help="folder of all runs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the table")
    parser.add_argument("--only", nargs="+", choices=list(TITLES), help="recipes to train; default: all")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # in everything that is compared
    configs = recipes()
    if options.command in ("train", "all"):
        train_missing(chosen(configs, options.only), options.runs)
    if options.command in ("table", "all"):
        write_table(configs, options.runs, options.docs)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SakeffError as error:
        sys.exit(str(error))
