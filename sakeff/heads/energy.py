"""The readout of atomic energies."""

from torch import Tensor, nn

from sakeff.nn.mlp import make_mlp
from sakeff.types import Features


class EnergyReadout(nn.Module):
    """A two-layer network on the scalars of each atom (So3krates, end of section 3; SAKE, section 6.1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.network = make_mlp([width, width, 1])

    def forward(self, features: Features) -> Tensor:
        """Features to (N,) atomic energies in units of the potential's scale."""
        return self.network(features.scalars).squeeze(-1)
