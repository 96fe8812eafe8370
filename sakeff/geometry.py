"""From structures and lists to edge vectors, and from their gradient back to forces and virial."""

from typing import List

import torch
from torch import Tensor

from sakeff.ops import segment_sum
from sakeff.types import Edges, Neighbours, System

# Two nuclei are never nearer than this (A): no training set reaches there, and models return nonsense.
CLOSEST = 0.3


def edge_vectors(system: System, neighbours: Neighbours) -> Edges:
    """``vector = R[other] + shift @ cell - R[centre]``, (E, 3), in the precision of the positions."""
    cell = system.cell.index_select(0, system.batch.index_select(0, neighbours.centre))
    image = torch.einsum("ea,eab->eb", neighbours.shift.to(cell.dtype), cell)
    ends = system.positions.index_select(0, neighbours.other) + image
    vector = ends - system.positions.index_select(0, neighbours.centre)
    return Edges(neighbours.centre, neighbours.other, neighbours.reverse, vector)


def trim(edges: Edges, cutoff: float) -> Edges:
    """Only the edges shorter than ``cutoff``, with a valid ``reverse``.

    Both directions of a pair are kept or dropped together, also when rounding makes their lengths differ.
    """
    near = (edges.vector * edges.vector).sum(-1) < cutoff * cutoff
    keep = torch.nonzero(near & near.index_select(0, edges.reverse)).squeeze(-1)
    position = torch.zeros_like(edges.centre)
    position[keep] = torch.arange(keep.shape[0], device=keep.device)
    return Edges(
        edges.centre.index_select(0, keep),
        edges.other.index_select(0, keep),
        position.index_select(0, edges.reverse.index_select(0, keep)),
        edges.vector.index_select(0, keep),
    )


def overlaps(edges: List[Edges], closest: float = CLOSEST) -> bool:
    """Whether two atoms, images included, are nearer than ``closest`` (A). One transfer from the device."""
    vector = edges[0].vector
    if vector.shape[0] == 0:
        return False
    return bool((vector * vector).sum(dim=1).min() < closest * closest)


def forces_from_gradient(gradient: Tensor, edges: Edges, n_atoms: int) -> Tensor:
    """``F_i = sum over edges e of centre i of (g_e - g_reverse(e))`` with g = dE/dvector; shape (N, 3)."""
    return segment_sum(gradient - gradient.index_select(0, edges.reverse), edges.centre, n_atoms)


def virial_from_gradient(gradient: Tensor, edges: Edges, batch: Tensor, n_structures: int) -> Tensor:
    """``dE/dstrain = sum_e vector_e (x) g_e`` for each structure, (S, 3, 3); symmetric because E is invariant."""
    outer = edges.vector.unsqueeze(2) * gradient.unsqueeze(1)
    virial = segment_sum(outer, batch.index_select(0, edges.centre), n_structures)
    return 0.5 * (virial + virial.transpose(1, 2))


def cell_volume(cell: Tensor) -> Tensor:
    """``|det cell|``, (S, 3, 3) to (S,), from the triple product."""
    return (cell[:, 0] * torch.linalg.cross(cell[:, 1], cell[:, 2])).sum(-1).abs()
