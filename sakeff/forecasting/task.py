"""The forecasting task on stored trajectories: from one frame, predict how positions and velocities change to another.

Everything is kept on one device as fixed-shape tensors; a batch is gathered by the indices of its systems.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from sakeff.errors import DataError
from sakeff.forecasting.charged import Protocol, Trajectories, reverse
from sakeff.forecasting.dataset import StoredSet
from sakeff.geometry import edge_vectors
from sakeff.neighbours.all_pairs import all_pairs
from sakeff.types import Edges, Neighbours, System

TARGETS = ("positions", "velocities")


class Samples(NamedTuple):
    """M systems of n particles: what is known, and the O changes asked for."""

    charges: np.ndarray  # (M, n)
    positions: np.ndarray  # (M, n, 3)
    velocities: np.ndarray  # (M, n, 3)
    changes: np.ndarray  # (M, n, O, 3), one for each target
    uniform: np.ndarray  # (O,), change of each target in uniform motion at unit speed


class Batch(NamedTuple):
    """B systems side by side, N = B n particles."""

    charges: Tensor  # (N,)
    velocities: Tensor  # (N, 3)
    edges: Edges  # all pairs of each system
    changes: Tensor  # (N, O, 3)
    weight: Tensor  # (N,), 1; 0 in the empty system


def make_samples(stored: StoredSet, input_frames: Sequence[int], horizon: int, targets: Sequence[str]) -> Samples:
    """All systems at each input frame in turn, and what changes until `horizon` frames later.

    Raises `DataError` if a frame is not stored.
    """
    protocol, frames = Protocol(**stored.origin["protocol"]), stored.trajectories.positions.shape[1]
    first, last = min(input_frames), max(input_frames) + horizon
    if first < 0 or horizon < 1 or last >= frames:
        raise DataError(
            f"frames {first} to {last} are no forecast within {frames} stored frames; "
            f"choose 0 <= input < target < {frames}."
        )
    parts = [_arrays_at(stored.trajectories, frame, horizon, targets) for frame in input_frames]
    charges, positions, velocities, changes = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    duration = horizon * protocol.every * protocol.timestep
    uniform = np.array([duration if name == "positions" else 0.0 for name in targets], positions.dtype)
    return Samples(charges, positions, velocities, changes, uniform)


def with_reversed_time(
    stored: StoredSet, input_frames: Sequence[int], horizon: int, targets: Sequence[str]
) -> Samples:
    """`make_samples`, and the same pairs of frames once more with the time running backwards: twice the samples.

    Only frames that `make_samples` uses are used. Raises `DataError` as it does.
    """
    forwards = make_samples(stored, input_frames, horizon, targets)
    last = stored.trajectories.positions.shape[1] - 1
    turned = stored._replace(trajectories=reverse(stored.trajectories, Protocol(**stored.origin["protocol"])))
    backwards = make_samples(turned, [last - frame - horizon for frame in input_frames], horizon, targets)
    joined = [np.concatenate(pair) for pair in zip(forwards, backwards, strict=True)]
    return Samples(*joined)._replace(uniform=forwards.uniform)


def _arrays_at(trajectories: Trajectories, frame: int, horizon: int, targets: Sequence[str]) -> List[np.ndarray]:
    arrays = {name: getattr(trajectories, name) for name in TARGETS}
    changes = [arrays[name][:, frame + horizon] - arrays[name][:, frame] for name in targets]
    positions, velocities = [arrays[name][:, frame] for name in TARGETS]
    return [trajectories.charges, positions, velocities, np.stack(changes, axis=2)]


class SampleStore:
    """Samples as tensors on `device`; index M is the empty system, of weight zero, that fills the last batch."""

    def __init__(self, samples: Samples, device: Union[str, torch.device], dtype: torch.dtype) -> None:
        self.device = torch.device(device)
        arrays = (samples.charges, samples.positions, samples.velocities, samples.changes)
        padded = [np.concatenate([array, array[:1]]) for array in arrays]
        self._charges, self._positions, self._velocities, self._changes = (
            torch.tensor(array, device=self.device, dtype=dtype) for array in padded
        )
        self._weight = torch.ones(self._charges.shape, device=self.device, dtype=dtype)
        self._weight[-1] = 0.0
        self._pairs: Dict[int, Neighbours] = {}

    def __len__(self) -> int:
        return len(self._charges) - 1

    def table(self, order: np.ndarray, batch_size: int) -> np.ndarray:
        """Batches of systems in the given order, (batches, batch_size); free slots hold the empty system."""
        missing = -len(order) % batch_size
        filled = np.concatenate([order, np.full(missing, len(self), np.int64)])
        return filled.reshape(-1, batch_size)

    def batch(self, indices: Tensor) -> Batch:
        """The systems at `indices` (B,)."""
        positions = self._positions[indices].flatten(0, 1)
        system = _open_system(positions, len(indices))
        if len(indices) not in self._pairs:  # they depend on the shape alone
            self._pairs[len(indices)] = all_pairs(system)
        return Batch(
            charges=self._charges[indices].flatten(),
            velocities=self._velocities[indices].flatten(0, 1),
            edges=edge_vectors(system, self._pairs[len(indices)]),
            changes=self._changes[indices].flatten(0, 1),
            weight=self._weight[indices].flatten(),
        )


def _open_system(positions: Tensor, structures: int) -> System:
    """Particles as atoms without an element, the same number in every structure."""
    device = positions.device
    per_structure = len(positions) // structures
    numbers = torch.zeros(len(positions), dtype=torch.int64, device=device)
    return System(
        numbers=numbers,
        positions=positions,
        cell=positions.new_zeros(structures, 3, 3),
        pbc=torch.zeros(structures, 3, dtype=torch.bool, device=device),
        batch=torch.arange(structures, device=device).repeat_interleave(per_structure),
        charge=positions.new_zeros(structures),
        spin=positions.new_zeros(structures),
    )
