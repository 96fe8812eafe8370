"""Fixed shapes for batches: how many structures, atoms and edges a padded batch holds.

A batch that is always of the same shape can be captured in a CUDA graph. One extra *padding structure* at the end owns
whatever the real structures leave free; its weights in the loss are zero. `pack` fills batches so that none overflows.
"""

from __future__ import annotations

from typing import Iterable, List, NamedTuple

import numpy as np

from sakeff.errors import DataError

GRAIN = 16  # capacities are multiples of this: friendlier to vector units, and equal for similar data sets


class Capacity(NamedTuple):
    """Shape of a padded batch; `atoms` and `edges` include the padding, `structures` does not."""

    structures: int  # real structures at most
    atoms: int
    edges: List[int]  # one for each neighbour list


class Sizes(NamedTuple):
    """How much of each resource every frame needs, on the host."""

    atoms: np.ndarray  # (M,)
    edges: List[np.ndarray]  # one (M,) for each neighbour list

    def columns(self) -> np.ndarray:
        """(M, 1 + lists): atoms, then edges of each list."""
        return np.stack([self.atoms, *self.edges], axis=1)


def choose_capacity(sizes: Sizes, structures: int, spread: float = 2.0) -> Capacity:
    """Room for `structures` frames of mean size plus `spread` standard deviations of such a sum.

    A random batch of B frames needs B mean +- sqrt(B) std, so nearly all batches are full and little is padding;
    `pack` puts what does not fit into the next batch. No capacity is below the largest frame, nor above the B largest.
    """
    if structures < 1:
        raise DataError(f"a batch of {structures} structures is empty; choose a batch size of at least 1.")
    atoms, *edges = [_room(column, structures, spread) for column in sizes.columns().T]
    return Capacity(structures, _round_up(atoms + 1), [_round_up(count) for count in edges])


def _room(column: np.ndarray, structures: int, spread: float) -> int:
    expected = structures * column.mean() + spread * np.sqrt(structures) * column.std()
    largest = np.sort(column)[::-1][:structures].sum()
    return int(np.ceil(min(max(expected, column.max()), largest)))


def _round_up(count: int) -> int:
    return max(1, -(-count // GRAIN)) * GRAIN


def pack(order: Iterable[int], sizes: Sizes, capacity: Capacity) -> np.ndarray:
    """Batches of frames in the given order, each as full as `capacity` allows: (batches, structures) int64.

    A slot that stays free holds M, the number of frames, which `FrameStore` knows as the empty frame.
    Raises `DataError` if a single frame does not fit.
    """
    columns, limit = sizes.columns(), np.array([capacity.atoms - 1, *capacity.edges])
    batches: List[List[int]] = []
    used = limit + 1  # forces a first batch
    for index in order:
        if len(batches) == 0 or len(batches[-1]) == capacity.structures or np.any(used + columns[index] > limit):
            _check_fits(int(index), columns[index], limit)
            batches.append([])
            used = np.zeros_like(limit)
        batches[-1].append(int(index))
        used = used + columns[index]
    table = np.full((len(batches), capacity.structures), len(columns), np.int64)
    for row, batch in zip(table, batches, strict=True):
        row[: len(batch)] = batch
    return table


def _check_fits(index: int, need: np.ndarray, limit: np.ndarray) -> None:
    if np.any(need > limit):
        raise DataError(
            f"frame {index} needs {need.tolist()} atoms and edges where a batch holds {limit.tolist()}; "
            "choose the capacity from this data set."
        )
