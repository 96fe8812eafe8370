"""Times of models that are compared: a training step, and one molecule's energy and forces; in turns, on one thread."""

import tempfile
import time
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Callable, Mapping

import numpy as np
import torch
from benchmarks import machine
from benchmarks.packages import ours
from benchmarks.statistics import Summary, plan_repetitions, summarise, takes_part
from benchmarks.structure import Structure, moved
from benchmarks.structures import benchmark_structure
from benchmarks.worker import installed

from sakeff.export.torchscript import export_program
from sakeff.training.build import load_sets, make_trainer, new_model
from sakeff.training.config import TrainConfig
from sakeff.training.log import NoLog
from sakeff.training.world import SingleProcess
from sakeff.zoo import load_potential

MOLECULE = "ethanol"
WARM_UP = 3
BUDGET_S = 10.0  # for one model and one kind of call
DISTRIBUTIONS = ("torch", "numpy")

Call = Callable[[int], object]  # what is done in repetition k


def time_models(configs: Mapping[str, TrainConfig], checkpoints: Mapping[str, Path]) -> dict[str, Any]:
    """Seconds per step and per evaluation of each model, and where they were measured, on torch's threads."""
    stolen = machine.StolenTime()
    structure = benchmark_structure(MOLECULE)
    with tempfile.TemporaryDirectory(prefix="sakeff-comparison-") as folder:
        programs = {
            name: evaluation(path, Path(folder) / f"{name}.pt", structure) for name, path in checkpoints.items()
        }
        evaluations = take_turns(programs, BUDGET_S)
    steps = take_turns({name: training_step(config) for name, config in configs.items()}, BUDGET_S)
    models = {name: {"step_s": steps[name]._asdict(), "evaluation_s": evaluations[name]._asdict()} for name in configs}
    versions = {name: installed(name) for name in DISTRIBUTIONS}
    where = {**machine.describe("cpu"), "stolen": stolen.share()}
    return {"models": models, "measured": {"machine": where, "versions": versions, "threads": torch.get_num_threads()}}


def evaluation(checkpoint: Path, file: Path, structure: Structure) -> Call:
    """Energy and forces of a molecule that moves a little, by the exported program, in its reference form."""
    export_program(load_potential(checkpoint), file, provenance={}, dtype="float32", kernels="reference")
    forces = ours.program_route(file, structure, "cpu")
    return lambda number: forces(moved(structure, number))


def training_step(config: TrainConfig) -> Call:
    """A whole training step by the recipe, from random weights: batch, gradient, clip, update, average."""
    sets = load_sets(config.data)
    trainer = make_trainer(config, sets, new_model(config, sets.train), Path(), NoLog(), SingleProcess())
    step = trainer.step
    order = np.random.default_rng(config.seed).permutation(len(sets.train))
    batches = torch.as_tensor(step.table(order))
    if config.compile:
        step.compile(batches[0])
    return lambda number: step(batches[number % len(batches)])


def take_turns(calls: Mapping[str, Call], budget: float) -> dict[str, Summary]:
    """Seconds of each call. In every round each model runs a burst, so that noise of the machine hits all alike."""
    bursts = {name: partial(burst, call, count()) for name, call in calls.items()}
    plans = {name: plan_repetitions(run(WARM_UP)[-1], budget) for name, run in bursts.items()}
    total = max(plan.rounds for plan in plans.values())
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(total):
        for name, plan in plans.items():
            if takes_part(number, plan.rounds, total):
                seconds[name] += bursts[name](plan.discard + plan.burst)[plan.discard :]
    return {name: summarise(values) for name, values in seconds.items()}


def burst(call: Call, numbers: "count[int]", repetitions: int) -> list[float]:
    """Seconds of so many calls, one after the other."""
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call(next(numbers))
        seconds.append(time.perf_counter() - start)
    return seconds
