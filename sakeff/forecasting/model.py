"""The forecaster: particles become features, a representation works on them, a head says how they move."""

from typing import Any, Dict, List

import torch
from torch import Tensor, nn

from sakeff.config import initialise_weights
from sakeff.heads import ForecastHead
from sakeff.nn.mlp import make_mlp
from sakeff.representations import make_representation
from sakeff.types import Edges, Features


class ParticleEmbedding(nn.Module):
    """Initial features: scalars from charge and speed (SAKE, SINet), the velocity as the only vector.

    Representations take the vector as a displacement, the one in ``time_unit``.
    """

    def __init__(self, width: int, time_unit: float) -> None:
        super().__init__()
        self.time_unit = float(time_unit)
        self.network = make_mlp([2, width, width])

    def forward(self, charges: Tensor, velocities: Tensor) -> Features:
        """Charges (N,) and velocities (N, 3) to features with scalars (N, width) and vectors (N, 1, 3)."""
        speed = torch.linalg.vector_norm(velocities, dim=-1)
        return Features(self.network(torch.stack([charges, speed], dim=-1)), self.time_unit * velocities.unsqueeze(1))


class Forecaster(nn.Module):
    """Embedding + representation + head. Any representation serves; one that ignores the initial vector sees speeds
    only through the head.
    """

    def __init__(self, representation: nn.Module, outputs: int, time_unit: float = 1.0) -> None:
        super().__init__()
        width: int = representation.width  # type: ignore[assignment]
        self.embedding = ParticleEmbedding(width, time_unit)
        self.representation = representation
        self.head = ForecastHead(width, count_vectors(representation), outputs)

    def requests(self) -> List[float]:
        """Cutoffs of the lists of pairs; each gets the complete graph."""
        requests: List[float] = self.representation.requests()  # type: ignore[operator]
        return requests

    def forward(self, charges: Tensor, velocities: Tensor, edges: Edges) -> Tensor:
        """Charges (N,), velocities (N, 3) and all pairs of each system to changes (N, outputs, 3)."""
        features = self.embedding(charges, velocities)
        features = self.representation(features, [edges for _ in self.requests()])
        changes: Tensor = self.head(features, velocities)
        return changes


@torch.no_grad()
def count_vectors(representation: nn.Module) -> int:
    """How many vectors a representation hands out for each particle: two particles are tried."""
    width: int = representation.width  # type: ignore[assignment]
    vector = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    centre, other = torch.tensor([0, 1]), torch.tensor([1, 0])
    edges = Edges(centre, other, other, vector)
    features = Features(torch.zeros(2, width), torch.zeros(2, 1, 3))
    requests: List[float] = representation.requests()  # type: ignore[operator]
    return int(representation(features, [edges for _ in requests]).vectors.shape[1])


def build_forecaster(representation: Dict[str, Any], outputs: int, time_unit: float = 1.0, seed: int = 0) -> Forecaster:
    """A float32 forecaster with random weights that depend on ``seed`` alone. Raises `ConfigError`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        forecaster = Forecaster(make_representation(**representation), outputs, time_unit)
        forecaster.apply(initialise_weights)
    return forecaster
