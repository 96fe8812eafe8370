"""Envelopes: functions of a distance that are exactly zero from the cutoff on."""

import math

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError


class PolynomialEnvelope(nn.Module):
    """The C2 envelope of So3krates eq. 29 as a function of x = r / cutoff.

    ``phi(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2)`` for x < 1, else 0.
    Value, slope and curvature vanish at x = 1; p >= 3 makes it C2 at x = 0 as well.

    Evaluated as ``(1 - x)^3 sum over k < p of (k+1)(k+2)/2 x^k``, the same polynomial without the cancellation
    at x = 1: it is positive up to the cutoff and exactly zero from there on.
    """

    def __init__(self, cutoff: float, exponent: int = 5) -> None:
        super().__init__()
        if exponent < 3:
            raise ConfigError(f"The envelope exponent is {exponent}; use 3 or more, so that the energy is C2.")
        self.cutoff = float(cutoff)
        self.coefficients = [0.5 * (k + 1) * (k + 2) for k in reversed(range(exponent))]

    def forward(self, distance: Tensor) -> Tensor:
        """Distances (E,) to weights (E,)."""
        x = (distance / self.cutoff).clamp(max=1.0)
        series = torch.zeros_like(x)
        for coefficient in self.coefficients:
            series = series * x + coefficient
        gap = 1.0 - x
        return gap * gap * gap * series


class CosineEnvelope(nn.Module):
    """The cosine cutoff as the papers print it (So3krates eq. 31; SAKE eq. 8 with its parenthesis mended).

    Literal variant, C1 only: its curvature jumps at the cutoff. Kept to compare with published numbers.
    """

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = float(cutoff)

    def forward(self, distance: Tensor) -> Tensor:
        """Distances (E,) to weights (E,)."""
        x = distance / self.cutoff
        return 0.5 * (torch.cos(math.pi * x) + 1.0) * (x < 1.0).to(x.dtype)


def make_envelope(name: str, cutoff: float, exponent: int = 5) -> nn.Module:
    """``polynomial`` (C2, default everywhere) or ``cosine`` (literal, C1)."""
    if name == "polynomial":
        return PolynomialEnvelope(cutoff, exponent)
    if name == "cosine":
        return CosineEnvelope(cutoff)
    raise ConfigError(f"Unknown envelope {name!r}; choose 'polynomial' or 'cosine'.")
