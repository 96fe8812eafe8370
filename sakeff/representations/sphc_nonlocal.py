"""The spherical neighbourhood of So3krates (eq. 14, appendix A.2): atoms that are close in SPHC space."""

import torch
from torch import Tensor, nn

from sakeff.nn.cutoffs import PolynomialEnvelope
from sakeff.ops import segment_sum, smooth_norm


class SphericalNeighbourhood(nn.Module):
    """Weights of all pairs of a structure: ``phi(softmax_j(|chi_i - chi_j|) n / kappa)`` with the polynomial of eq. 29.

    The softmax runs along row i of the n x n matrix of SPHC distances, its diagonal included. Pairs with a small
    rescaled distance count, the others have weight exactly zero.

    Deviation: the distance is the smooth norm, so that the weights are C2 also where two atoms coincide in
    SPHC space. The number of atoms enters: energies of separated molecules are not additive. Open structures only.
    """

    def __init__(self, kappa: float, softening: float, exponent: int = 6) -> None:
        super().__init__()
        self.envelope = PolynomialEnvelope(cutoff=kappa, exponent=exponent)
        self.softening = float(softening)

    def forward(self, sphc: Tensor, centre: Tensor, other: Tensor) -> Tensor:
        """SPHC (N, M) and all directed pairs (E,) to weights (E,)."""
        n_atoms = sphc.shape[0]
        distance = smooth_norm(sphc.index_select(0, other) - sphc.index_select(0, centre), self.softening)
        # A constant shift per row leaves a softmax unchanged and keeps exp in range.
        top = torch.zeros_like(sphc[:, 0]).scatter_reduce(0, centre, distance.detach(), "amax")
        weight = torch.exp(distance - top.index_select(0, centre))
        total = segment_sum(weight, centre, n_atoms) + torch.exp(-top)
        size = segment_sum(torch.ones_like(weight), centre, n_atoms) + 1.0
        return self.envelope(weight * (size / total).index_select(0, centre))
