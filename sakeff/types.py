"""The data that flows through the package: immutable, always batched, safe for TorchScript.

Sizes: N atoms, S structures, E directed edges, F scalar channels, K vector channels.
Lengths are in angstrom, energies in eV.
"""

from typing import List, NamedTuple, Optional

import torch
from torch import Tensor

UNKNOWN_LEVEL = "unknown"  # level of theory of labels that do not say theirs


class System(NamedTuple):
    """A batch of structures: what a user knows, nothing derived.

    ``cell`` keeps the user's cell (rows are lattice vectors) even where a direction is open;
    ``pbc`` alone decides about periodic images. ``batch`` is sorted.
    """

    numbers: Tensor  # (N,) int64, atomic numbers
    positions: Tensor  # (N, 3) floating
    cell: Tensor  # (S, 3, 3) floating, rows
    pbc: Tensor  # (S, 3) bool
    batch: Tensor  # (N,) int64, structure of each atom
    charge: Tensor  # (S,) floating, total charge in e
    spin: Tensor  # (S,) floating, number of unpaired electrons


class Neighbours(NamedTuple):
    """All directed edges up to ``cutoff``, sorted by (centre, other, shift).

    ``shift`` counts whole cells added to the position of ``other``;
    ``reverse[e]`` is the index of the opposite edge of ``e``.
    """

    centre: Tensor  # (E,) int64
    other: Tensor  # (E,) int64
    shift: Tensor  # (E, 3) int64
    reverse: Tensor  # (E,) int64
    cutoff: float  # complete up to here; inf means all pairs of open structures


class Edges(NamedTuple):
    """Directed edges with their vectors: the only leaf of differentiation."""

    centre: Tensor  # (E,) int64
    other: Tensor  # (E,) int64
    reverse: Tensor  # (E,) int64
    vector: Tensor  # (E, 3), R[other] + shift @ cell - R[centre]


class Features(NamedTuple):
    """What a representation makes of each atom: invariant scalars and equivariant vectors."""

    scalars: Tensor  # (N, F)
    vectors: Tensor  # (N, K, 3); K may be 0


class Prediction(NamedTuple):
    """Energies and their derivatives. The stress of an open structure, or one without volume, is NaN: undefined."""

    energy: Tensor  # (S,) float64, eV
    atomic_energy: Tensor  # (N,) float64, eV
    forces: Tensor  # (N, 3), eV/A
    stress: Tensor  # (S, 3, 3), eV/A^3, +dE/dstrain/V


class Labels(NamedTuple):
    """Targets of a batch; a structure or atom of weight zero is padding or has no label."""

    energy: Tensor  # (S,) float64, eV
    forces: Tensor  # (N, 3), eV/A
    energy_weight: Tensor  # (S,)
    force_weight: Tensor  # (N,)


def single_system(
    numbers: Tensor,
    positions: Tensor,
    cell: Optional[Tensor] = None,
    pbc: Optional[Tensor] = None,
    charge: float = 0.0,
    spin: float = 0.0,
) -> System:
    """A ``System`` of one structure; open unless ``cell`` and ``pbc`` say otherwise."""
    device, dtype = positions.device, positions.dtype
    if cell is None:
        cell = torch.zeros(3, 3, device=device, dtype=dtype)
    if pbc is None:
        pbc = torch.zeros(3, device=device, dtype=torch.bool)
    return System(
        numbers=numbers.to(torch.int64),
        positions=positions,
        cell=cell.reshape(1, 3, 3),
        pbc=pbc.reshape(1, 3),
        batch=torch.zeros(numbers.shape[0], dtype=torch.int64, device=device),
        charge=torch.full((1,), charge, device=device, dtype=dtype),
        spin=torch.full((1,), spin, device=device, dtype=dtype),
    )


def join_systems(systems: List[System]) -> System:
    """Concatenate batches of structures into one batch."""
    batches: List[Tensor] = []
    count = 0
    for system in systems:
        batches.append(system.batch + count)
        count += system.cell.shape[0]
    return System(
        numbers=torch.cat([s.numbers for s in systems]),
        positions=torch.cat([s.positions for s in systems]),
        cell=torch.cat([s.cell for s in systems]),
        pbc=torch.cat([s.pbc for s in systems]),
        batch=torch.cat(batches),
        charge=torch.cat([s.charge for s in systems]),
        spin=torch.cat([s.spin for s in systems]),
    )
