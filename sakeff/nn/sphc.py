"""Spherical harmonic coordinates (SPHC): arrays (rows, M) that hold several degrees side by side."""

import math
from typing import List

import numpy as np
import torch
from torch import Tensor, nn

from sakeff.nn.exact import ExactBuffers
from sakeff.nn.spherical import clebsch_gordan


def order_slices(degrees: List[int]) -> List[slice]:
    """Where each degree lies along the axis of orders."""
    slices, start = [], 0
    for l in degrees:
        slices.append(slice(start, start + 2 * l + 1))
        start += 2 * l + 1
    return slices


class DegreeNorms(nn.Module):
    """Per-degree smooth norms ``sqrt(sum_m x_lm^2 + s^2) - s``.

    Deviation: the papers take the Euclidean norm (So3krates eqs. 16-18), which has a kink where a symmetric
    environment has x = 0. ``softening = 0`` is the literal variant.
    """

    members: Tensor

    def __init__(self, degrees: List[int], softening: float) -> None:
        super().__init__()
        self.softening = float(softening)
        members = torch.zeros(sum(2 * l + 1 for l in degrees), len(degrees))
        for column, orders in enumerate(order_slices(degrees)):
            members[orders, column] = 1.0
        self.register_buffer("members", members, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, M) to (rows, L)."""
        return torch.sqrt((x * x) @ self.members + self.softening * self.softening) - self.softening


class CrossDegreeCoupling(ExactBuffers):
    """So3krates eq. 19: ``chi~(l) = sum over l1 < l2 of k[l1,l2,l] (chi(l1) (x)_l chi(l2))`` with learned k.

    The default keeps couplings with even l1 + l2 + l, so that mirror images have one energy (O(3)).
    ``parity = "all"`` is the literal equation: it adds pseudotensors and is SO(3) only.
    """

    paths: Tensor

    def __init__(self, degrees: List[int], parity: str) -> None:
        super().__init__()
        self.size = sum(2 * l + 1 for l in degrees)
        paths = _coupling_paths(degrees, parity)
        self.register_buffer("paths", paths, persistent=False)
        self.weights = nn.Parameter(torch.randn(paths.shape[0]) / math.sqrt(max(1, len(degrees))))

    def forward(self, chi: Tensor) -> Tensor:
        """(N, M) to (N, M)."""
        matrix = torch.einsum("p,pab->ab", self.weights, self.paths.to(self.weights.dtype))
        pairs = chi.unsqueeze(2) * chi.unsqueeze(1)
        return pairs.reshape(chi.shape[0], self.size * self.size) @ matrix


def _coupling_paths(degrees: List[int], parity: str) -> Tensor:
    """One (M*M, M) matrix per allowed (l1, l2, l), from Clebsch-Gordan coefficients in the usual normalisation."""
    slices = order_slices(degrees)
    size = sum(2 * l + 1 for l in degrees)
    paths = []
    for a, l1 in enumerate(degrees):
        for b, l2 in enumerate(degrees):
            for c, l in enumerate(degrees):
                allowed = abs(l1 - l2) <= l <= l1 + l2 and (parity == "all" or (l1 + l2 + l) % 2 == 0)
                if l1 < l2 and allowed:
                    path = np.zeros((size, size, size))
                    path[slices[a], slices[b], slices[c]] = math.sqrt(2 * l + 1) * clebsch_gordan(l1, l2, l)
                    paths.append(torch.from_numpy(path.reshape(size * size, size)))
    if not paths:
        return torch.zeros(0, size * size, size, dtype=torch.float64)
    return torch.stack(paths)
