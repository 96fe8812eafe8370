"""All directed pairs of atoms of the same open structure."""

import math

import torch
from torch import Tensor

from sakeff.errors import NeighbourError
from sakeff.neighbours.lattice import check_coordinates, squared_distances
from sakeff.neighbours.order import restrict
from sakeff.types import Neighbours, System


def starts(counts: Tensor) -> Tensor:
    """Where each group begins when groups of these sizes (M,) follow one another."""
    return torch.cumsum(counts, dim=0) - counts


def all_pairs(system: System) -> Neighbours:
    """Every directed pair i != j within each structure, whatever the distance.

    Each atom owns one row of (atoms of its structure - 1) edges, so the opposite edge has a closed form.
    Raises NeighbourError for periodic structures, where there is no such thing.
    """
    if bool(system.pbc.any()):
        raise NeighbourError(
            "All pairs exist only in open structures; set pbc to False or use a model with a finite cutoff."
        )
    batch = system.batch
    sizes = torch.bincount(batch, minlength=system.cell.shape[0])
    first = starts(sizes)[batch]  # first atom of the structure of each atom
    row_length = sizes[batch] - 1
    row_start = starts(row_length)
    centre = torch.repeat_interleave(torch.arange(batch.shape[0], device=batch.device), row_length)
    column = torch.arange(centre.shape[0], device=batch.device) - row_start[centre]
    local = centre - first[centre]
    other_local = column + (column >= local)  # skips the atom itself
    other = other_local + first[centre]
    reverse = row_start[other] + local - (local > other_local).to(torch.int64)
    shift = torch.zeros((centre.shape[0], 3), dtype=torch.int64, device=batch.device)
    return Neighbours(centre, other, shift, reverse, math.inf)


def pairs_within(system: System, cutoff: float) -> Neighbours:
    """The pairs of small open structures up to ``cutoff`` (A): quadratic work, little overhead.

    Raises NeighbourError for periodic structures and non-finite positions.
    """
    pairs = all_pairs(system)
    positions = system.positions.detach().to(torch.float64)
    check_coordinates(positions)
    offset = torch.zeros_like(positions[0:1])
    square = squared_distances(positions, pairs.centre, pairs.other, offset)
    return restrict(pairs, square <= cutoff * cutoff, cutoff)
