"""Edges in arrays whose length never changes, for programs that are replayed: CUDA graphs."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sakeff.types import Edges, System


class FixedEdges(NamedTuple):
    """Edges in a fixed number of slots, and whether they are all there."""

    edges: Edges
    complete: Tensor  # () bool


class FixedShapeEdges(nn.Module):
    """The edges of one structure up to ``cutoff`` (A), found among all pairs, in ``capacity`` slots (an even number).

    Nothing depends on a value that the host would have to wait for. Slots that are not needed hold two opposite edges
    of the last atom with itself, longer than the cutoff, where every envelope is zero: edges stay sorted by centre, and
    each has its reverse. ``complete`` is false where edges do not fit or may be missing: too few slots, a position that
    is not finite, a periodic cell less than two cutoffs wide, in which an atom would see two images of another.

    Quadratic in the number of atoms: for some thousand atoms at most. All directions are periodic, or none.
    """

    def __init__(self, cutoff: float, capacity: int, periodic: bool) -> None:
        super().__init__()
        self.cutoff = float(cutoff)
        self.capacity = int(capacity) + int(capacity) % 2
        self.periodic = periodic

    def forward(self, system: System) -> FixedEdges:
        """Edges and whether they are all there."""
        positions = system.positions.detach().to(torch.float64)
        n_atoms = positions.shape[0]
        vector = positions.unsqueeze(0) - positions.unsqueeze(1)
        complete = torch.isfinite(positions).all()
        if self.periodic:
            cell = system.cell[0].detach().to(torch.float64)
            inverse = inverse_cell(cell)
            vector = vector - (vector @ inverse).round() @ cell
            widths = 1.0 / torch.linalg.vector_norm(inverse, dim=0)
            complete = complete & (widths >= 2.0 * self.cutoff).all()
        # Not a diagonal of zeros: atoms at the same place are a pair, too, and the caller must see it.
        pair = ~torch.eye(n_atoms, dtype=torch.bool, device=positions.device)
        near = (pair & ((vector * vector).sum(-1) < self.cutoff * self.cutoff)).view(-1)
        slot_of = torch.cumsum(near, dim=0) - 1
        return FixedEdges(
            self.packed(near, slot_of, vector.view(-1, 3), n_atoms), complete & (near.sum() <= self.capacity)
        )

    def packed(self, near: Tensor, slot_of: Tensor, vector: Tensor, n_atoms: int) -> Edges:
        """All pairs (N * N,), their slots and vectors (N * N, 3) to ``capacity`` edges."""
        found = torch.nonzero_static(near, size=self.capacity, fill_value=-1).squeeze(-1)
        used = found >= 0
        pair = found.clamp(min=0)
        last = torch.full_like(pair, n_atoms - 1)
        centre = torch.where(used, pair // n_atoms, last)
        other = torch.where(used, pair % n_atoms, last)
        slot = torch.arange(self.capacity, device=near.device)
        sign = 1 - 2 * (slot % 2)
        opposite = slot_of.index_select(0, other * n_atoms + centre).clamp(min=0, max=self.capacity - 1)
        reverse = torch.where(used, opposite, slot + sign)
        # Finite also for an infinite cutoff, where every slot is used.
        far = 2.0 * self.cutoff if math.isfinite(self.cutoff) else 1.0
        unused = torch.stack([far * sign, torch.zeros_like(sign), torch.zeros_like(sign)], dim=1).to(vector.dtype)
        vectors = torch.where(used.unsqueeze(1), vector.index_select(0, pair), unused)
        return Edges(centre, other, reverse, vectors)


def inverse_cell(cell: Tensor) -> Tensor:
    """The inverse of a cell (3, 3), written out: a library routine would report singular cells to the host."""
    a, b, c = cell[0], cell[1], cell[2]
    normals = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], dim=1)
    return normals / (a * normals[:, 0]).sum()
