"""From a configuration to the parts of a run: data sets, potential, loss, schedule, trainer."""

from __future__ import annotations

import inspect
import math
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Union

import numpy as np
import torch
from torch import nn

from sakeff.config import PotentialConfig, build_potential, parse_potential_config
from sakeff.data.frames import Frames
from sakeff.data.padding import choose_capacity
from sakeff.data.read import read_frames
from sakeff.data.splits import split_frames
from sakeff.data.store import FrameStore
from sakeff.errors import ConfigError, DataError
from sakeff.potential import Potential
from sakeff.representations.registry import REPRESENTATIONS
from sakeff.training.config import DataConfig, LossConfig, RunConfig, ScheduleConfig, TrainConfig
from sakeff.training.ema import WeightAverage
from sakeff.training.evaluate import Validator, check_elements, evaluate
from sakeff.training.log import MetricsLog, NoLog
from sakeff.training.loop import Plan, Trainer
from sakeff.training.loss import PENALTIES, SCALINGS, EnergyForceLoss
from sakeff.training.optimizers import make_optimizer
from sakeff.training.reference import fit_energies, force_scale, set_reference, shift_energies
from sakeff.training.schedule import Schedule, constant, cosine, exponential, with_warm_up
from sakeff.training.state import RunState
from sakeff.training.step import TrainStep
from sakeff.training.update import WeightUpdate
from sakeff.training.world import World
from sakeff.zoo import fingerprint, load_trainable

# Frames from which the new level of theory is learned before fine-tuning: more would only take minutes.
SHOWN = 2000


class Sets(NamedTuple):
    """The three sets of a run; validation and test may be empty."""

    train: Frames
    validation: Frames
    test: Frames


class Model(NamedTuple):
    """What is trained, what describes it, and the fingerprint of the trained weights it started from, if any."""

    config: PotentialConfig
    potential: Potential
    start: Optional[str] = None


def load_sets(config: DataConfig) -> Sets:
    """Read and split the data. With `test_path` the test set is read from there and may not have its own split."""
    frames = read_frames(config.path, **config.options)
    if config.test_path is None:
        split = split_frames(frames, config.train, config.validation, config.test, config.seed, config.by)
        return Sets(*[frames.select(part) for part in split])
    if config.test is not None:
        raise ConfigError("data.test and data.test_path contradict each other; give one of them.")
    split = split_frames(frames, config.train, config.validation, None, config.seed, config.by)
    test = read_frames(config.test_path, **config.options)
    return Sets(frames.select(split.train), frames.select(split.validation), test)


def make_trainer(
    config: TrainConfig, sets: Sets, model: Model, state: Path, log: MetricsLog | NoLog, world: World
) -> Trainer:
    """Put the parts of a run together. Raises `DataError` if a set holds an element unknown to the potential."""
    for frames in sets:
        check_elements(model.potential, frames)
    _check_electrons(sets)
    device, dtype = torch.device(config.device), getattr(torch, config.dtype)
    potential = model.potential.to(device=device, dtype=dtype).train()
    store = FrameStore(sets.train, potential.requests(), device, dtype)
    capacity = choose_capacity(store.sizes, config.batch_size)
    loss = make_loss(config.loss)
    update = make_update(config, potential)
    step = TrainStep(potential, store, capacity, loss, update, world)
    watched = sets.validation if len(sets.validation) else sets.train
    validator = Validator(FrameStore(watched, potential.requests(), device, dtype), config.batch_size, loss, world)
    return Trainer(step, validator, make_plan(config, len(store), world), state, log, _documents(config, sets, model))


def _check_electrons(sets: Sets) -> None:
    """Raise `DataError` for frames of several charges or spins: no representation tells them apart."""
    for name in ("charge", "spin"):
        found = np.unique(np.concatenate([getattr(frames, name) for frames in sets])).tolist()
        if len(found) > 1:
            values = ", ".join(f"{value:g}" for value in found)
            raise DataError(f"The data have several values of {name} ({values}), which no potential reads; keep one.")


def make_loss(config: LossConfig) -> EnergyForceLoss:
    """The loss that a configuration describes."""
    return EnergyForceLoss(config.energy, config.forces, PENALTIES[config.penalty], SCALINGS[config.scaling])


def make_update(config: RunConfig, module: nn.Module) -> WeightUpdate:
    """Optimiser, clip and average that a configuration describes, for the weights of a module where they are now."""
    average = WeightAverage(module, config.average_decay)
    return WeightUpdate(make_optimizer(config.optimizer, average.weights), config.optimizer.clip, average)


def make_plan(config: RunConfig, samples: int, world: World) -> Plan:
    """Steps and intervals; an epoch counts as samples / (batch size x processes) steps."""
    per_epoch = -(-samples // (config.batch_size * world.size))
    steps = config.steps or (config.epochs or 0) * per_epoch  # one of them is given
    return Plan(
        steps=steps,
        learning_rate=config.optimizer.learning_rate,
        schedule=make_schedule(config.schedule, steps),
        validate_every=config.validate_every,
        log_every=config.log_every,
        checkpoint_minutes=config.checkpoint_minutes,
        patience=config.patience,
        seed=config.seed,
        compile=config.compile,
    )


def make_schedule(config: ScheduleConfig, steps: int) -> Schedule:
    """The learning-rate factor that a configuration describes."""

    def decay(step: int) -> float:
        if config.name == "cosine":
            return cosine(step, steps, config.final)
        if config.name == "exponential":
            return exponential(step, config.half_life or math.inf, config.final)
        return constant(step)

    return with_warm_up(config.warmup_steps, decay)


def new_model(config: TrainConfig, frames: Frames) -> Model:
    """Random weights; constants, reference energies and scale from the training set. Raises `ConfigError`."""
    if config.potential is None:
        raise ConfigError("The recipe has no potential; describe one, or start from a model (--from).")
    document = {"elements": np.unique(frames.numbers).tolist(), **config.potential}
    potential_config = _with_mean_neighbours(parse_potential_config(document), frames)
    potential = build_potential(potential_config, config.seed)
    energies = fit_energies(frames, frames.energy)
    for element, energy in (config.reference_energies or {}).items():
        energies[element] = energy
    set_reference(potential, energies, force_scale(frames))
    return Model(potential_config, potential)


def pretrained_model(name_or_folder: Union[str, Path], config: TrainConfig, frames: Frames) -> Model:
    """Weights of a bundled model or checkpoint, with reference energies shifted to the level of theory of the new data.

    Only the elements of the new data are left. Raises `CheckpointError`, `DataError` for elements that the model does
    not know, and `ConfigError` if the recipe describes another potential.
    """
    checkpoint = load_trainable(name_or_folder)
    _check_described(checkpoint.config, config.potential or {}, name_or_folder)
    if config.reference_energies:
        raise ConfigError("A run that starts from a model fits its reference energies; leave reference_energies out.")
    check_elements(checkpoint.potential, frames)
    start = Model(checkpoint.config, checkpoint.potential, fingerprint(name_or_folder))
    model = _with_elements_of(frames, start)
    shown = _representative(frames, SHOWN)
    predicted = evaluate(model.potential, shown, config.batch_size).energy
    shift_energies(model.potential, shown, predicted)
    return model


def _with_elements_of(frames: Frames, model: Model) -> Model:
    """The model without elements that the frames lack: new labels say nothing of them, and old energies do not fit."""
    elements = np.unique(frames.numbers).tolist()
    known = model.config.elements
    if elements == known:
        return model
    config = model.config.model_copy(update={"elements": elements})
    state = model.potential.state_dict()
    kept = torch.tensor([known.index(element) for element in elements])
    state["embedding.vectors.weight"] = state["embedding.vectors.weight"][kept]
    absent = [element for element in known if element not in elements]
    state["reference.energies"][absent] = 0.0
    potential = build_potential(config).to(next(model.potential.parameters()).dtype)
    potential.load_state_dict(state)
    return model._replace(config=config, potential=potential)


def _representative(frames: Frames, count: int) -> Frames:
    """About `count` frames, evenly spaced, in which every element occurs."""
    chosen = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    first_atoms = np.unique(frames.numbers, return_index=True)[1]
    with_elements = np.searchsorted(frames.offsets, first_atoms, side="right") - 1
    return frames.select(np.union1d(chosen, with_elements))


def stored_model(state: RunState) -> Model:
    """The potential of an interrupted run; its weights are restored with the rest of the state."""
    config = parse_potential_config(state.documents["model"])
    return Model(config, build_potential(config), state.documents.get("start"))


def _check_described(model: PotentialConfig, described: Dict[str, Any], name: Union[str, Path]) -> None:
    """What a recipe says about the potential must be true of the model that the run starts from."""
    known = {**model.model_dump(), **model.representation}
    said = {**described, **described.get("representation", {})}
    said.pop("representation", None)
    for key, value in said.items():
        if known.get(key) != value:
            raise ConfigError(
                f"The recipe has {key}: {value} where {name} has {known.get(key)}; correct the recipe's potential or"
                " leave it out."
            )


def _with_mean_neighbours(config: PotentialConfig, frames: Frames) -> PotentialConfig:
    """The mean number of neighbours of the training set, where the representation has such a constant."""
    representation = dict(config.representation)
    build = REPRESENTATIONS.get(representation["name"])
    known = set() if build is None else inspect.signature(build).parameters.keys()
    if "mean_neighbours" not in known or "mean_neighbours" in representation:
        return config
    requests = build_potential(config).requests()[:1]
    mean = FrameStore(frames, requests).mean_neighbours[0]
    representation["mean_neighbours"] = round(mean, 4)
    return PotentialConfig(elements=config.elements, representation=representation)


def _documents(config: TrainConfig, sets: Sets, model: Model) -> Dict[str, Any]:
    """What must be equal when a run is resumed."""
    hashes = {"training data": sets.train.sha256(), "validation data": sets.validation.sha256()}
    return {**config.fixed_on_resume(), **hashes, "model": model.config.model_dump(), "start": model.start}
