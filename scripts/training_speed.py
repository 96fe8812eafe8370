"""Molecules per second in training, with the gradient by autograd and compiled, on one thread; and are losses the same?

    OMP_NUM_THREADS=1 python scripts/training_speed.py

Takes the recipes of the bundled ethanol models, whose data are in $SAKEFF_SHARED/data or ../shared/data, and a larger
SAKE on all pairs in larger batches. Both forms take turns in one process, from the same weights. Writes
docs/training_speed.json and docs/training_speed.md. Compiling takes a few minutes the first time.
"""

import argparse
import hashlib
import json
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks import machine
from benchmarks.worker import installed
from check_models import test_set
from comparison_times import BUDGET_S, take_turns

from sakeff.io import write_text
from sakeff.training.build import load_sets, make_trainer, new_model
from sakeff.training.config import TrainConfig, load_train_config
from sakeff.training.contract import Step
from sakeff.training.log import NoLog
from sakeff.training.world import SingleProcess
from sakeff.zoo import models_folder

MODELS = ("sake-md17-ethanol", "so3krates-md17-ethanol")
LARGER = "SAKE, depth 6, width 32"  # with batches of 32, all pairs
DOCS = Path(__file__).resolve().parent.parent / "docs"


def recipe_of(name: str) -> TrainConfig:
    """The recipe of a bundled model, with its data where they are here."""
    config = load_train_config(models_folder() / name / "recipe.yaml")
    found = {key: str(test_set(getattr(config.data, key))) for key in ("path", "test_path")}
    return config.model_copy(update={"data": config.data.model_copy(update=found)})


def cases() -> dict[str, TrainConfig]:
    """What is measured."""
    found = {f"`{name}`": recipe_of(name) for name in MODELS}
    sake = recipe_of("sake-md17-ethanol")
    network = {**(sake.potential or {})["representation"], "layers": 6, "width": 32, "cutoff": 10.0}
    found[LARGER] = sake.model_copy(update={"potential": {"representation": network}, "batch_size": 32})
    return found


def fingerprint(config: TrainConfig) -> str:
    """Hash of what decides about the cost of a step."""
    decisive = {key: config.fixed_on_resume()[key] for key in ("potential", "loss", "optimizer", "batch_size")}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def step_of(config: TrainConfig) -> Step:
    """A training step from random weights that depend on the seed alone."""
    sets = load_sets(config.data)
    return make_trainer(config, sets, new_model(config, sets.train), Path(), NoLog(), SingleProcess()).step


def measure(config: TrainConfig) -> dict[str, Any]:
    """Seconds of a step in both forms, and how far their first losses and gradients are apart."""
    steps = {"autograd": step_of(config), "compiled": step_of(config)}
    batches = torch.as_tensor(steps["autograd"].table(np.random.default_rng(0).permutation(950)))
    steps["compiled"].compile(batches[0])
    losses, gradients = zip(*[first_gradient(step, batches[0]) for step in steps.values()], strict=True)
    numbers = {form: count() for form in steps}
    calls = {form: lambda _, form=form: steps[form](batches[next(numbers[form]) % len(batches)]) for form in steps}
    seconds = take_turns(calls, BUDGET_S)
    return {
        "recipe_sha256": fingerprint(config),
        "batch_size": config.batch_size,
        "parameters": sum(weight.numel() for weight in steps["autograd"].weights),
        "seconds": {form: summary._asdict() for form, summary in seconds.items()},
        "loss_difference": abs(losses[1] / losses[0] - 1.0),
        "gradient_difference": float((gradients[1] - gradients[0]).norm() / gradients[0].norm()),
    }


def first_gradient(step: Step, indices: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Loss and gradient of a batch, before any update."""
    loss = float(step.accumulate_gradients(indices))
    return loss, torch.cat([weight.grad.flatten() for weight in step.weights]).clone()


INTRODUCTION = """# Speed of training

Written by `python scripts/training_speed.py`: whole training steps (batch, loss, gradient in the weights, update,
average) on ethanol, on one thread, medians: the recipes of the bundled models, and a larger network
on all pairs in larger batches.
"""


def as_markdown(document: dict[str, Any]) -> str:
    """The page."""
    lines = [
        INTRODUCTION,
        "| model | batch | autograd (ms) | compiled (ms) | ms/molecule | molecules/s | ratio | loss, gradient differ |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in document["models"].items():
        before, after = (row["seconds"][form]["median"] for form in ("autograd", "compiled"))
        size = row["batch_size"]
        lines.append(
            f"| {name} | {size} | {1e3 * before:.1f} | {1e3 * after:.1f} "
            f"| {1e3 * before / size:.2f}, {1e3 * after / size:.2f} | {size / before:.0f}, {size / after:.0f} "
            f"| {before / after:.2f} | {row['loss_difference']:.0e}, {row['gradient_difference']:.0e} |"
        )
    where = document["measured"]
    lines.append(
        f"\nMeasured on {where['processor']}, {where['system']}, {where['date']}, torch {document['torch']}, float32. "
        "Where there are two numbers the second is compiled. Differences are relative, of the first batch."
    )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    document = {"models": {name: measure(config) for name, config in cases().items()}}
    document |= {"measured": machine.describe("cpu"), "torch": installed("torch")}
    write_text(DOCS / "training_speed.json", json.dumps(document, indent=1) + "\n", overwrite=True)
    write_text(DOCS / "training_speed.md", as_markdown(document), overwrite=True)
    print(as_markdown(document))


if __name__ == "__main__":
    main()
