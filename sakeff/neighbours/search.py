"""Choose the right list for a structure and a cutoff."""

import math

import torch
from torch import nn

from sakeff.errors import NeighbourError
from sakeff.neighbours import limits
from sakeff.neighbours.all_pairs import all_pairs, pairs_within
from sakeff.neighbours.cell_list import cell_list
from sakeff.types import Neighbours, System


def neighbour_list(system: System, cutoff: float) -> Neighbours:
    """All directed edges up to ``cutoff`` (A) of a batch of structures; ``math.inf`` means all pairs.

    Neighbours follow the contract of ``sakeff.types``. The list never carries gradients and has no
    capacity that could overflow. Raises NeighbourError for a cutoff that is not positive, all pairs
    of a periodic structure, a periodic cell without a volume and non-finite positions.
    """
    if not cutoff > 0.0:
        raise NeighbourError(f"The cutoff must be positive, not {cutoff}; give it in angstrom.")
    if math.isinf(cutoff):
        return all_pairs(system)
    if bool(system.pbc.any()):
        return cell_list(system, cutoff)
    if system.batch.shape[0] > 0 and int(torch.bincount(system.batch).max()) > limits.SMALL:
        return cell_list(system, cutoff)
    return pairs_within(system, cutoff)


class TorchSearch(nn.Module):
    """``neighbour_list`` as a scriptable module: runs alone, on any device."""

    def forward(self, system: System, cutoff: float) -> Neighbours:
        """All directed edges up to ``cutoff`` (A)."""
        return neighbour_list(system, cutoff)
