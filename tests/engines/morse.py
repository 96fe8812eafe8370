"""A potential with known minima, made of the package's own parts: Morse wells between all atoms."""

import torch
from torch import nn

from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.embedding import ElementEmbedding
from sakeff.ops import segment_sum
from sakeff.potential import Potential
from sakeff.types import Edges, Features
from tests.helpers import ELEMENTS, structure, tensor

BOND = 1.2  # A, minimum of the well


class MorseRepresentation(nn.Module):
    """Half of ``D ((1 - exp(-a (r - BOND)))^2 - 1)`` times the envelope, summed over the neighbours of each atom."""

    def __init__(self, depth, steepness, cutoff):
        super().__init__()
        self.width, self.depth, self.steepness, self.cutoff, self.bond = 1, depth, steepness, cutoff, BOND
        self.envelope = make_envelope("polynomial", cutoff, 5)

    @torch.jit.export
    def requests(self) -> list[float]:
        return [self.cutoff]

    def forward(self, features: Features, edges: list[Edges]) -> Features:
        distance = torch.linalg.vector_norm(edges[0].vector, dim=-1)
        stretch = 1.0 - torch.exp(-self.steepness * (distance - self.bond))
        well = 0.5 * self.depth * (stretch * stretch - 1.0) * self.envelope(distance)
        return Features(segment_sum(well, edges[0].centre, features.scalars.shape[0]).unsqueeze(-1), features.vectors)


class FirstScalar(nn.Module):
    def forward(self, features: Features) -> torch.Tensor:
        return features.scalars.squeeze(-1)


def morse_potential(depth=2.0, steepness=2.0, cutoff=3.0):
    representation = MorseRepresentation(depth, steepness, cutoff)
    potential = Potential(ELEMENTS, ElementEmbedding(ELEMENTS, 1), representation, FirstScalar())
    return potential.double().eval()


def dimers_in_a_box(edge=14.0, per_side=3, seed=0):
    """Diatomic molecules on a lattice, too far apart to see each other."""
    spacing = edge / per_side
    grid = spacing * torch.cartesian_prod(*[torch.arange(per_side, dtype=torch.float64)] * 3)
    along = torch.nn.functional.normalize(
        torch.randn(grid.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64), dim=1
    )
    positions = torch.stack([grid - 0.5 * BOND * along, grid + 0.5 * BOND * along], dim=1).reshape(-1, 3)
    return structure([6, 8] * grid.shape[0], positions, edge * torch.eye(3, dtype=torch.float64), [True] * 3)


def cluster():
    """Five atoms near, but not at, a minimum."""
    positions = tensor([[0, 0, 0], [1.3, 0.1, 0], [0.5, 1.1, 0.1], [0.6, 0.4, 1.2], [0.4, 0.5, -1.1]])
    return structure([6, 6, 8, 1, 1], positions)
