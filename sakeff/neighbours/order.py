"""The order of edges and the index of the opposite edge."""

from typing import List

import torch
from torch import Tensor

from sakeff.neighbours import limits
from sakeff.types import Neighbours


def lexicographic_key(columns: List[Tensor]) -> Tensor:
    """One int64 key (E,) that sorts like the int64 columns, the first column first.

    A column that would overflow the key is replaced by its ranks, so any size of entries is right.
    """
    key = torch.zeros_like(columns[0])
    if key.shape[0] == 0:
        return key
    span = 1
    for column in columns:
        low = int(column.min())
        width = int(column.max()) - low + 1
        digit = column - low
        if span * float(width) > float(limits.LARGEST_KEY):
            key = torch.unique(key, return_inverse=True)[1]
            digit = torch.unique(digit, return_inverse=True)[1]
            span, width = key.shape[0], key.shape[0]
        key = key * width + digit
        span = span * width
    return key


def mirror(centre: Tensor, other: Tensor, shift: Tensor, cutoff: float) -> Neighbours:
    """Sorted directed edges from undirected ones, each given once in either direction.

    Both directions come from one decision, so every edge has its opposite even where
    rounding could decide otherwise, at a distance of exactly the cutoff.
    """
    count = centre.shape[0]
    both_centre, both_other = torch.cat([centre, other]), torch.cat([other, centre])
    both_shift = torch.cat([shift, -shift])
    columns = [both_centre, both_other, both_shift[:, 0], both_shift[:, 1], both_shift[:, 2]]
    order = torch.argsort(lexicographic_key(columns))
    rank = torch.empty_like(order)
    rank[order] = torch.arange(2 * count, device=order.device)
    opposite = torch.where(order < count, order + count, order - count)
    return Neighbours(both_centre[order], both_other[order], both_shift[order], rank[opposite], cutoff)


def restrict(neighbours: Neighbours, keep: Tensor, cutoff: float) -> Neighbours:
    """The edges with ``keep`` (E,) true for them and for their opposite, in the same order."""
    both = keep & keep[neighbours.reverse]
    renumbered = torch.cumsum(both, dim=0) - 1
    return Neighbours(
        neighbours.centre[both],
        neighbours.other[both],
        neighbours.shift[both],
        renumbered[neighbours.reverse[both]],
        cutoff,
    )
