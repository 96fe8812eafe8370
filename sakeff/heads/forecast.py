"""The head of forecasting tasks: how the vectors of each particle change."""

import torch
from torch import Tensor, nn

from sakeff.nn.mlp import make_mlp
from sakeff.types import Features


class ForecastHead(nn.Module):
    """``change_o = sum_k c_ok(s) V_k`` over the initial vector and the K vectors of the representation.

    The coefficients c come from a two-layer network on the scalars s of each particle, so that the changes turn with
    the system and do not depend on where it stands. ``outputs`` counts the quantities forecast: displacement (SAKE,
    section 6.2; added to the positions by the caller), change of velocity, ...
    """

    def __init__(self, width: int, n_vectors: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.coefficients = make_mlp([width, width, outputs * (1 + n_vectors)])

    def forward(self, features: Features, initial: Tensor) -> Tensor:
        """Features with vectors (N, K, 3) and the initial vector (N, 3) to changes (N, outputs, 3)."""
        vectors = torch.cat([initial.unsqueeze(1), features.vectors], dim=1)
        coefficients = self.coefficients(features.scalars).view(-1, self.outputs, vectors.shape[1])
        return torch.matmul(coefficients, vectors)
