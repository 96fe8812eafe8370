"""`FrameStore`: a data set with its neighbour lists as flat tensors on one device, and batches gathered from it.

Gathering is a function of the frame indices alone: every shape is fixed by the `Capacity`, nothing is read back to the
host, so the gather can be captured in a CUDA graph together with the training step.
"""

from __future__ import annotations

from typing import List, NamedTuple, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from sakeff.data.frames import Frames
from sakeff.data.padding import Capacity, Sizes
from sakeff.errors import DataError
from sakeff.geometry import edge_vectors, overlaps
from sakeff.neighbours import neighbour_list
from sakeff.types import Edges, Labels, Neighbours, System

PADDING_LENGTH = 1000.0  # A, length of a padding edge: far beyond any cutoff, so its envelope is exactly zero
CHUNK = 256  # frames whose neighbour lists are searched at once


class Batch(NamedTuple):
    """What a potential and a loss need of some structures."""

    system: System
    neighbours: List[Neighbours]
    labels: Labels


class _Ragged(NamedTuple):
    """Where each frame's rows lie; the empty frame (index M) has none."""

    start: Tensor  # (M + 1,)
    length: Tensor  # (M + 1,)


class _Slots(NamedTuple):
    """The rows of a padded batch: slot k of the batch shows row `row[k]` of the store."""

    owner: Tensor  # (capacity,) structure of each slot; B is the padding structure
    row: Tensor  # (capacity,)
    start: Tensor  # (B,) first slot of each structure


class _StoredList(NamedTuple):
    """A neighbour list with indices relative to its frame; the last row is the padding edge."""

    ragged: _Ragged
    centre: Tensor  # (E + 1,) int32
    other: Tensor  # (E + 1,) int32
    reverse: Tensor  # (E + 1,) int32
    shift: Tensor  # (E + 1, 3) int16
    cutoff: float


def frames_to_system(frames: Frames, device: Union[str, torch.device] = "cpu") -> System:
    """All frames as one batch; positions, cells, charges and spins in float64."""
    batch = np.repeat(np.arange(len(frames)), frames.n_atoms)
    arrays = [frames.numbers.astype(np.int64), frames.positions, frames.cell, frames.pbc, batch]
    return System(*[torch.tensor(a, device=device) for a in [*arrays, frames.charge, frames.spin]])


class FrameStore:
    """`frames` and one neighbour list for each of `requests` (cutoffs in A; inf: all pairs), kept on `device`.

    Positions, cells and energies stay in float64, forces and weights in `dtype`. Lists are searched once, here.
    Frames without an energy label (NaN) have energy weight zero. Raises `DataError` for overlapping atoms (< 0.3 A).
    """

    def __init__(
        self,
        frames: Frames,
        requests: Sequence[float],
        device: Union[str, torch.device] = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.frames, self.device, self.dtype = frames, torch.device(device), dtype
        self._atoms = _ragged(frames.n_atoms, self.device)
        self._numbers = self._rows(frames.numbers.astype(np.int64), padding=int(frames.numbers[0]))
        self._positions = self._rows(frames.positions)
        self._forces = self._rows(frames.forces).to(dtype)
        self._load_structures(frames)
        self._lists = [_build_list(frames, cutoff, self.device) for cutoff in requests]
        self.sizes = Sizes(frames.n_atoms, [_counts(stored) for stored in self._lists])

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def mean_neighbours(self) -> List[float]:
        """Mean number of edges at an atom, for each list."""
        return [float(edges.sum() / self.sizes.atoms.sum()) for edges in self.sizes.edges]

    def batch(self, indices: Tensor, capacity: Capacity) -> Batch:
        """The frames at `indices` (B,) int64 on the store's device, padded to `capacity`; structure B is padding.

        `indices` may hold M, the empty frame. The caller sees to it that the frames fit (`pack`), because the counts
        are known on the host there.
        """
        slots = _slots(self._atoms, indices, capacity.atoms, padding_row=len(self._numbers) - 1)
        structures = torch.cat([indices, self._padding_frame])
        system = System(
            numbers=self._numbers[slots.row],
            positions=self._positions[slots.row],
            cell=self._cell[structures],
            pbc=self._pbc[structures],
            batch=slots.owner,
            charge=self._charge[structures],
            spin=self._spin[structures],
        )
        labels = Labels(
            energy=self._energy[structures],
            forces=self._forces[slots.row],
            energy_weight=self._energy_weight[structures],
            force_weight=(slots.owner < len(indices)).to(self.dtype),
        )
        lists = [
            _gather_list(stored, indices, slots, size) for stored, size in zip(self._lists, capacity.edges, strict=True)
        ]
        return Batch(system, lists, labels)

    def _load_structures(self, frames: Frames) -> None:
        """Per-structure rows, then one for the empty frame (M) and one for the padding structure (M + 1)."""
        cell = np.concatenate([frames.cell, np.zeros((1, 3, 3)), PADDING_LENGTH * np.eye(3)[None]])
        self._cell = torch.tensor(cell, device=self.device)
        self._pbc = torch.tensor(np.concatenate([frames.pbc, np.zeros((2, 3), bool)]), device=self.device)
        self._charge, self._spin, self._energy = (
            torch.tensor(np.concatenate([values, np.zeros(2)]), device=self.device)
            for values in (frames.charge, frames.spin, np.nan_to_num(frames.energy))
        )
        weight = np.concatenate([np.isfinite(frames.energy), np.zeros(2)])
        self._energy_weight = torch.tensor(weight, device=self.device, dtype=self.dtype)
        self._padding_frame = torch.tensor([len(frames) + 1], device=self.device)

    def _rows(self, array: np.ndarray, padding: float = 0) -> Tensor:
        """Per-atom rows with the padding atom's at the end."""
        return torch.tensor(np.concatenate([array, np.full_like(array[:1], padding)]), device=self.device)


def _ragged(counts: np.ndarray, device: torch.device) -> _Ragged:
    counts = np.append(counts, 0)
    return _Ragged(*[torch.tensor(a, device=device) for a in (np.cumsum(counts) - counts, counts)])


def _counts(stored: _StoredList) -> np.ndarray:
    return stored.ragged.length[:-1].cpu().numpy()


def _slots(ragged: _Ragged, indices: Tensor, capacity: int, padding_row: int) -> _Slots:
    count = ragged.length[indices]
    end = count.cumsum(0)
    start = end - count
    slot = torch.arange(capacity, device=indices.device)
    owner = torch.searchsorted(end, slot, right=True)
    real = owner.clamp(max=len(indices) - 1)
    row = slot + (ragged.start[indices] - start)[real]
    return _Slots(owner, torch.where(owner < len(indices), row, padding_row), start)


def _gather_list(stored: _StoredList, indices: Tensor, atoms: _Slots, capacity: int) -> Neighbours:
    """Local indices plus the first atom (edge) of the owner; padding edges join the last padding atom to itself."""
    edges = _slots(stored.ragged, indices, capacity, padding_row=len(stored.centre) - 1)
    last_atom = torch.full_like(atoms.start[:1], len(atoms.owner) - 1)
    first_atom = torch.cat([atoms.start, last_atom])[edges.owner]
    first_edge = torch.cat([edges.start, last_atom])[edges.owner]
    slot = torch.arange(capacity, device=indices.device)
    return Neighbours(
        centre=stored.centre[edges.row] + first_atom,
        other=stored.other[edges.row] + first_atom,
        shift=stored.shift[edges.row].to(torch.int64),
        reverse=torch.where(edges.owner < len(indices), stored.reverse[edges.row] + first_edge, slot),
        cutoff=stored.cutoff,
    )


def _build_list(frames: Frames, cutoff: float, device: torch.device) -> _StoredList:
    parts = [_search(frames.select(slice(k, k + CHUNK)), cutoff, device) for k in range(0, len(frames), CHUNK)]
    padding = torch.tensor([0], dtype=torch.int32, device=device)
    shift = torch.tensor([[1, 0, 0]], dtype=torch.int16, device=device)
    return _StoredList(
        ragged=_ragged(np.concatenate([_counts(part) for part in parts]), device),
        centre=torch.cat([*[part.centre for part in parts], padding]),
        other=torch.cat([*[part.other for part in parts], padding]),
        reverse=torch.cat([*[part.reverse for part in parts], padding]),
        shift=torch.cat([*[part.shift for part in parts], shift]),
        cutoff=cutoff,
    )


def _search(frames: Frames, cutoff: float, device: torch.device) -> _StoredList:
    """The list of a chunk, with indices relative to each frame."""
    system = frames_to_system(frames, device)
    found = neighbour_list(system, cutoff)
    structure = system.batch[found.centre]
    _check_lengths(frames, edge_vectors(system, found), structure)
    count = torch.bincount(structure, minlength=len(frames))
    first_edge = (count.cumsum(0) - count)[structure]
    first_atom = torch.tensor(frames.offsets[:-1], device=device)[structure]
    return _StoredList(
        ragged=_ragged(count.cpu().numpy(), device),
        centre=(found.centre - first_atom).to(torch.int32),
        other=(found.other - first_atom).to(torch.int32),
        reverse=(found.reverse - first_edge).to(torch.int32),
        shift=found.shift.to(torch.int16),
        cutoff=cutoff,
    )


def _check_lengths(frames: Frames, edges: Edges, structure: Tensor) -> None:
    """Raise `DataError` for atoms, images included, that are nearer than engines accept."""
    if overlaps([edges]):
        length = torch.linalg.vector_norm(edges.vector, dim=1)
        shortest = int(length.argmin())
        frame = frames.frame(int(structure[shortest]))
        raise DataError(
            f"A frame of {len(frame.numbers)} atoms (group {frame.groups[0]}) has two of them"
            f" {length[shortest]:.3f} A apart; check the units (angstrom), the cell and duplicated atoms."
        )
