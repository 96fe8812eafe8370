"""Neighbour lists from the vesin library, for Python paths."""

import math
from typing import List

import torch
from torch import nn
from vesin import NeighborList

from sakeff.neighbours import limits
from sakeff.neighbours.cell_list import HalfList, assemble, near
from sakeff.neighbours.lattice import make_lattice, wrap
from sakeff.neighbours.search import neighbour_list
from sakeff.types import Neighbours, System


def vesin_list(system: System, cutoff: float) -> Neighbours:
    """Same edges in the same order as ``neighbour_list``, found by vesin on the CPU.

    Vesin is asked for slightly more, and membership is decided by the same arithmetic for all lists.
    All pairs and cutoffs that are not positive go to ``neighbour_list``. Raises NeighbourError as it does.
    """
    if not 0.0 < cutoff < math.inf:
        return neighbour_list(system, cutoff)
    lattice = make_lattice(system)
    positions, cells = wrap(system, lattice)
    search = NeighborList(cutoff=cutoff * limits.MARGIN, full_list=False, n_threads=1)
    halves: List[HalfList] = []
    for s in range(system.cell.shape[0]):
        atoms = torch.where(system.batch == s)[0]
        points, cell = positions[atoms], lattice.cell[s]
        found = search.compute(points.cpu().numpy(), cell.cpu().numpy(), system.pbc[s].cpu().numpy(), "ijS")
        edges = [torch.from_numpy(array.astype("int64")).to(points.device) for array in found]
        half = near((edges[0], edges[1], edges[2]), points, cell, cutoff)
        halves.append((atoms[half[0]], atoms[half[1]], half[2]))
    return assemble(halves, cells, cutoff)


class VesinSearch(nn.Module):
    """``vesin_list`` as a module; for Python only, it does not script."""

    def forward(self, system: System, cutoff: float) -> Neighbours:
        """All directed edges up to ``cutoff`` (A)."""
        return vesin_list(system, cutoff)
