"""Radial bases: distances (E,) to (E, K)."""

import math

import torch
from torch import Tensor, nn


class ExpNormalBasis(nn.Module):
    """The PhysNet basis, So3krates eq. 30 without its cutoff factor.

    ``theta_k(r) = exp(-gamma (exp(-r) - mu_k)^2)``, mu_k spaced evenly from exp(-cutoff) to 1 and
    gamma = (2/K (1 - exp(-cutoff)))^-2, r in angstrom. The representation multiplies by its own envelope.
    """

    centres: Tensor

    def __init__(self, size: int, cutoff: float) -> None:
        super().__init__()
        start = math.exp(-cutoff)
        self.register_buffer("centres", torch.linspace(start, 1.0, size))
        self.gamma = (2.0 / size * (1.0 - start)) ** -2

    def forward(self, distance: Tensor) -> Tensor:
        """Values of all K functions."""
        difference = torch.exp(-distance).unsqueeze(-1) - self.centres
        return torch.exp(-self.gamma * difference * difference)


class GaussianBasis(nn.Module):
    """Gaussians spaced evenly between 0 and the cutoff (SAKE 9.3): ``exp(-(r - mu_k)^2 / (2 w^2))``, w the spacing."""

    centres: Tensor

    def __init__(self, size: int, cutoff: float) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.0, cutoff, size))
        self.coefficient = 0.5 / (cutoff / (size - 1)) ** 2

    def forward(self, distance: Tensor) -> Tensor:
        """Values of all K functions."""
        difference = distance.unsqueeze(-1) - self.centres
        return torch.exp(-self.coefficient * difference * difference)
