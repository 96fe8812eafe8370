"""Tables of functions of the distance, interpolated so that the energy stays C2."""

import math
from typing import Callable, List

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError

# Distances between nodes (A): the first that is tried, and the finest.
COARSEST, FINEST = 0.04, 2e-4
# Points in each interval at which the error is looked at.
SAMPLES = 4
# Nearer than this (A) no structure is evaluated, so errors there do not count.
NEAREST = 0.3


class RadialTable(nn.Module):
    """C functions of the distance from values, slopes and curvatures at evenly spaced nodes.

    Between two nodes lies the polynomial of degree 5 that has the value, slope and curvature of both (quintic Hermite),
    so the interpolant is C2 everywhere, and equal to the function in all three at each node. With t in [0, 1] along an
    interval of length h it is ``f0 + sum_k basis_k(t) c_k`` with c = (h f0', h^2 f0'', f1 - f0, h f1', h^2 f1'').
    Its error is at most ``h^6 max|f^(6)| / 46080``. Beyond the last node the value stays that of the last node. The
    difference f1 - f0 is stored, too: taken in float32 it would leave a slope with few digits.
    """

    nodes: Tensor

    def __init__(self, nodes: Tensor, spacing: float) -> None:
        """``nodes`` (n, 4, C): f, h f', h^2 f'' and the difference to the next f; ``spacing`` h in A."""
        super().__init__()
        self.register_buffer("nodes", nodes)
        self.spacing = float(spacing)

    def forward(self, distance: Tensor) -> Tensor:
        """(P,) to (P, C)."""
        n, channels = self.nodes.shape[0], self.nodes.shape[2]
        x = distance / self.spacing
        interval = x.detach().floor().clamp(max=float(n - 2))
        basis = hermite_basis((x - interval).clamp(max=1.0))
        left = interval.to(torch.int64)
        rows = self.nodes.view(n, 4 * channels)
        here = rows.index_select(0, left).view(-1, 4, channels)
        there = rows.index_select(0, left + 1).view(-1, 4, channels)
        terms = torch.cat([here[:, 1:], there[:, 1:3]], dim=1)
        return here[:, 0] + torch.bmm(basis.unsqueeze(1), terms).squeeze(1)


def hermite_basis(t: Tensor) -> Tensor:
    """Quintic Hermite polynomials (P, 5): slope and curvature at 0; step in value, slope and curvature at 1.

    The sixth, of the value at t = 0, is one minus that of the step.
    """
    t2 = t * t
    t3 = t2 * t
    t4 = t3 * t
    t5 = t4 * t
    columns: List[Tensor] = [
        t - 6.0 * t3 + 8.0 * t4 - 3.0 * t5,
        0.5 * t2 - 1.5 * t3 + 1.5 * t4 - 0.5 * t5,
        10.0 * t3 - 15.0 * t4 + 6.0 * t5,
        -4.0 * t3 + 7.0 * t4 - 3.0 * t5,
        0.5 * t3 - t4 + 0.5 * t5,
    ]
    return torch.stack(columns, dim=1)


def tabulate(function: Callable[[Tensor], Tensor], cutoff: float, tolerance: float) -> RadialTable:
    """A table of ``function`` (P,) -> (P, C) on [0, cutoff] whose error is at most ``tolerance``.

    The error is that of value and slope (per A), relative to the largest of each. The slope's error falls with h^5:
    the next spacing follows from the last error. Works in float64. Raises ConfigError if no spacing is fine enough.
    """
    spacing = COARSEST
    while spacing >= FINEST:
        table = table_at_spacing(function, cutoff, spacing)
        error = interpolation_error(table, function, cutoff)
        if error <= tolerance:
            return table
        spacing *= min(0.9, 0.95 * (tolerance / error) ** 0.2)
    raise ConfigError(
        f"The radial functions cannot be tabulated to {tolerance:.0e}; use kernels='reference' for this model."
    )


def table_at_spacing(function: Callable[[Tensor], Tensor], cutoff: float, spacing: float) -> RadialTable:
    """Nodes at 0, h, 2h, ... with the largest h up to ``spacing`` that divides the cutoff evenly."""
    intervals = math.ceil(cutoff / spacing)
    distance = torch.linspace(0.0, cutoff, intervals + 1, dtype=torch.float64)
    spacing = cutoff / intervals
    value, slope, curvature = two_derivatives(function, distance)
    step = torch.diff(value, dim=0, append=value[-1:])
    return RadialTable(torch.stack([value, spacing * slope, spacing**2 * curvature, step], dim=1), spacing)


def interpolation_error(table: RadialTable, function: Callable[[Tensor], Tensor], cutoff: float) -> float:
    """Largest relative error of value and slope between the nodes, from the nearest distance that occurs on."""
    n = (table.nodes.shape[0] - 1) * SAMPLES
    distance = NEAREST + (torch.arange(n, dtype=torch.float64) + 0.5) * ((cutoff - NEAREST) / n)
    errors = []
    for exact, found in zip(two_derivatives(function, distance)[:2], two_derivatives(table, distance)[:2], strict=True):
        errors.append(float((exact - found).abs().max() / exact.abs().max().clamp(min=1e-30)))
    return max(errors)


def two_derivatives(function: Callable[[Tensor], Tensor], x: Tensor) -> List[Tensor]:
    """Value, slope and curvature of a function that acts on each point alone, (P,) to three times (P, C)."""

    def slope(points: Tensor) -> Tensor:
        return torch.func.jvp(function, (points,), (torch.ones_like(points),))[1]

    first, second = torch.func.jvp(slope, (x,), (torch.ones_like(x),))
    return [function(x).detach(), first.detach(), second.detach()]
