"""Errors and predictions of a potential on labelled frames, batch by batch."""

from __future__ import annotations

from typing import Dict, Iterator, NamedTuple, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from sakeff.data.frames import Frames
from sakeff.data.padding import Capacity, choose_capacity, pack
from sakeff.data.store import Batch, FrameStore
from sakeff.errors import DataError
from sakeff.potential import Potential
from sakeff.training.loss import SUMS, EnergyForceLoss, Errors, Targets, error_sums, summarise
from sakeff.training.world import World
from sakeff.types import Prediction

MILLI = 1000.0


class Evaluation(NamedTuple):
    """Metrics with their units in the names, and the predictions behind them."""

    metrics: Dict[str, float]
    energy: np.ndarray  # (M,) eV
    forces: np.ndarray  # (A, 3) eV/A


class Validator:
    """Errors and loss on a fixed set; processes share the batches and agree on the sums."""

    headline = "force_mae_meV_per_A"  # the error that a progress bar shows

    def __init__(self, store: FrameStore, batch_size: int, loss: EnergyForceLoss, world: World) -> None:
        self.store, self.loss, self.world = store, loss, world
        self.capacity = choose_capacity(store.sizes, batch_size)
        self.batches = _upload(pack(range(len(store)), store.sizes, self.capacity)[world.rank :: world.size], store)
        energies = torch.tensor(np.isfinite(store.frames.energy).sum(), device=store.device)
        self.targets = Targets(energies, torch.tensor(len(store), device=store.device))

    def __call__(self, potential: Potential) -> Tuple[float, Dict[str, float]]:
        """Loss (mean over the whole set) and errors by name. Reads the device."""
        sums = torch.zeros(SUMS + 1, dtype=torch.float64, device=self.store.device)
        for batch, prediction in _predictions(potential, self.store, self.batches, self.capacity):
            sums[:SUMS] += error_sums(prediction, batch.system, batch.labels)
            sums[SUMS] += self.loss(prediction, batch.system, batch.labels, self.targets)
        self.world.add([sums])
        return float(sums[SUMS]), named_metrics(summarise(sums[:SUMS]))


def evaluate(
    potential: Potential, frames: Frames, batch_size: int = 32, device: Union[str, torch.device] = "cpu"
) -> Evaluation:
    """Energies and forces of all frames, and their errors: meV, meV/atom and meV/A, in the names of the metrics.

    The potential is moved to `device`. Raises `DataError` if the frames hold an element it was not trained for.
    """
    check_elements(potential, frames)
    potential = potential.to(device)
    store = FrameStore(frames, potential.requests(), device, next(potential.parameters()).dtype)
    capacity = choose_capacity(store.sizes, batch_size)
    table = pack(range(len(store)), store.sizes, capacity)
    sums, energies, forces = torch.zeros(SUMS, dtype=torch.float64, device=device), [], []
    predictions = _predictions(potential, store, _upload(table, store), capacity)
    for row, (batch, prediction) in zip(table, predictions, strict=True):
        sums += error_sums(prediction, batch.system, batch.labels)
        energies.append(prediction.energy[: int((row < len(store)).sum())].cpu())
        forces.append(prediction.forces[batch.system.batch < len(row)].to(torch.float64).cpu())
    metrics = {"frames": len(frames), **named_metrics(summarise(sums))}
    return Evaluation(metrics, torch.cat(energies).numpy(), torch.cat(forces).numpy())


def named_metrics(errors: Errors) -> Dict[str, float]:
    """Errors in meV, with the unit in every name."""
    return {
        "energy_mae_meV": MILLI * errors.energy_mae,
        "energy_rmse_meV": MILLI * errors.energy_rmse,
        "energy_mae_meV_per_atom": MILLI * errors.energy_mae_per_atom,
        "force_mae_meV_per_A": MILLI * errors.force_mae,
        "force_rmse_meV_per_A": MILLI * errors.force_rmse,
    }


def check_elements(potential: Potential, frames: Frames) -> None:
    """Raise `DataError` if the frames hold an element that the potential does not know."""
    unknown = sorted(set(np.unique(frames.numbers).tolist()) - set(potential.elements.tolist()))
    if unknown:
        raise DataError(f"the potential does not know the elements {unknown}; use other frames or train it on them.")


def _upload(table: np.ndarray, store: FrameStore) -> Tensor:
    return torch.as_tensor(table, device=store.device)


def _predictions(
    potential: Potential, store: FrameStore, batches: Tensor, capacity: Capacity
) -> Iterator[Tuple[Batch, Prediction]]:
    """Every batch with its prediction, in evaluation mode; the mode is put back."""
    training = potential.training
    potential.eval()
    try:
        for indices in batches:
            batch = store.batch(indices, capacity)
            yield batch, potential(batch.system, batch.neighbours)
    finally:
        potential.train(training)
