"""So3krates (Frank, Unke, Mueller 2022): attention on features and on spherical harmonic coordinates (SPHC).

Equation -> code
  9       initial features        sakeff.nn.embedding.ElementEmbedding
  11      initial SPHC            So3krates.initial_sphc
  12, 33  feature update          FeatureAttention
  13, 34  SPHC update             GeometricAttention
  14      non-local correction    sphc_nonlocal.SphericalNeighbourhood, used in So3kratesLayer
  15, 32  attention coefficients  attention_coefficients
  16      filters                 RadialFilter, SphericalFilter
  17-19   atomwise interaction    AtomwiseInteraction, nn.sphc.CrossDegreeCoupling
  30      radial basis            nn.radial.ExpNormalBasis

Deviations of the default, each for the sake of a C2 and mirror-symmetric energy; the literal variant is one
configuration away: polynomial envelope instead of the cosine (31); SPHC divided by the constant mean number of
neighbours instead of C_i (11); smooth per-degree norms; couplings with odd l1+l2+l left out (19).
Spherical harmonics are normalised to ``sum_m Y_lm^2 = 1``.
"""

import math
from typing import List, NamedTuple, Optional

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError
from sakeff.nn.choose import choose
from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.mlp import make_mlp
from sakeff.nn.radial import ExpNormalBasis
from sakeff.nn.sphc import CrossDegreeCoupling, DegreeNorms
from sakeff.nn.spherical import SphericalHarmonics
from sakeff.ops import segment_sum
from sakeff.representations.sphc_nonlocal import SphericalNeighbourhood
from sakeff.types import Edges, Features


class EdgeGeometry(NamedTuple):
    """What all layers share about a set of edges."""

    centre: Tensor  # (E,)
    other: Tensor  # (E,)
    envelope: Tensor  # (E,), zero beyond the cutoff
    basis: Tensor  # (E, K), already times the envelope (eq. 30)
    harmonics: Tensor  # (E, M)


class RadialFilter(nn.Module):
    """phi_r of eq. 16: a two-layer network on the radial basis; 128 hidden units in the paper."""

    def __init__(self, basis_size: int, n_degrees: int, hidden: int, width: int) -> None:
        super().__init__()
        self.network = make_mlp([basis_size, hidden, width])

    def forward(self, basis: Tensor, sphc_distance: Tensor) -> Tensor:
        """(E, K) to (E, F)."""
        return self.network(basis)


class SphericalFilter(nn.Module):
    """phi_s of eq. 16: a two-layer network on the per-degree distances of the SPHC; 32 hidden units (A.3)."""

    def __init__(self, basis_size: int, n_degrees: int, hidden: int, width: int) -> None:
        super().__init__()
        self.network = make_mlp([n_degrees, 32, width])

    def forward(self, basis: Tensor, sphc_distance: Tensor) -> Tensor:
        """(E, L) to (E, F)."""
        return self.network(sphc_distance)


FILTERS = {"radial": RadialFilter, "spherical": SphericalFilter}


class FilterSum(nn.Module):
    """w_ij of eq. 16: the sum of the chosen filters; leaving one out is the ablation of A.4."""

    def __init__(self, names: List[str], basis_size: int, n_degrees: int, hidden: int, width: int) -> None:
        super().__init__()
        unknown = sorted(set(names) - set(FILTERS))
        if unknown or not names:
            raise ConfigError(f"Filters {names} are not valid; choose from {sorted(FILTERS)}.")
        self.parts = nn.ModuleList([FILTERS[name](basis_size, n_degrees, hidden, width) for name in names])
        self.width = width

    def forward(self, basis: Tensor, sphc_distance: Tensor) -> Tensor:
        """(E, K) and (E, L) to (E, F)."""
        total = torch.zeros([1, self.width], dtype=basis.dtype, device=basis.device)
        for part in self.parts:
            total = total + part(basis, sphc_distance)
        return total


class AttentionCoefficients(nn.Module):
    """Eqs. 15 and 32 with H heads: ``alpha_h = sum over the head of q_i w_ij k_j / sqrt(F/H)``, shape (E, H)."""

    def __init__(self, filters: FilterSum, width: int, heads: int) -> None:
        super().__init__()
        if width % heads != 0:
            raise ConfigError(f"The width {width} is not a multiple of {heads} attention heads (or degrees).")
        self.filters = filters
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.heads = heads
        self.head_width = width // heads

    def forward(self, scalars: Tensor, sphc_distance: Tensor, geometry: EdgeGeometry) -> Tensor:
        """Features (N, F) and filter inputs to coefficients (E, H), without the envelope."""
        query = self.query(scalars).index_select(0, geometry.centre)
        key = self.key(scalars).index_select(0, geometry.other)
        product = query * self.filters(geometry.basis, sphc_distance) * key
        return product.view(-1, self.heads, self.head_width).sum(-1) / math.sqrt(self.head_width)


class FeatureAttention(nn.Module):
    """Eqs. 12 and 33: ``sum_j envelope_ij alpha_ij W_v f_j``, the increment of the features."""

    def __init__(self, filters: FilterSum, width: int, heads: int) -> None:
        super().__init__()
        self.coefficients = AttentionCoefficients(filters, width, heads)
        self.value = nn.Linear(width, width, bias=False)

    def forward(self, scalars: Tensor, sphc_distance: Tensor, geometry: EdgeGeometry) -> Tensor:
        """(N, F) to (N, F)."""
        weights = self.coefficients(scalars, sphc_distance, geometry) * geometry.envelope.unsqueeze(-1)
        values = self.value(scalars).index_select(0, geometry.other)
        heads = values.view(-1, self.coefficients.heads, self.coefficients.head_width) * weights.unsqueeze(-1)
        return segment_sum(heads.reshape(values.shape), geometry.centre, scalars.shape[0])


class GeometricAttention(nn.Module):
    """Eqs. 13 and 34: ``sum_j weight_ij alpha_ij^(l) Y^(l)(r_ij)``, one head per degree."""

    degree_of_order: Tensor

    def __init__(self, filters: FilterSum, width: int, degrees: List[int]) -> None:
        super().__init__()
        self.coefficients = AttentionCoefficients(filters, width, len(degrees))
        column = [index for index, l in enumerate(degrees) for _ in range(2 * l + 1)]
        self.register_buffer("degree_of_order", torch.tensor(column), persistent=False)

    def forward(self, scalars: Tensor, sphc_distance: Tensor, geometry: EdgeGeometry, weight: Tensor) -> Tensor:
        """(N, F) to the increment (N, M); ``weight`` (E,) is the neighbourhood function of eq. 14."""
        alpha = self.coefficients(scalars, sphc_distance, geometry) * weight.unsqueeze(-1)
        message = alpha.index_select(1, self.degree_of_order) * geometry.harmonics
        return segment_sum(message, geometry.centre, scalars.shape[0])


class AtomwiseInteraction(nn.Module):
    """Eqs. 17-19: features and SPHC inform each other, atom by atom. phi_1 and phi_2 share one network."""

    degree_of_order: Tensor

    def __init__(self, width: int, degrees: List[int], parity: str, softening: float) -> None:
        super().__init__()
        n = len(degrees)
        self.width = width
        self.coupling = CrossDegreeCoupling(degrees, parity)
        self.norms = DegreeNorms(degrees, softening)
        self.network = make_mlp([width + 2 * n, width, width + n])
        self.coupled_scale = nn.Linear(n, n, bias=False)
        column = [index for index, l in enumerate(degrees) for _ in range(2 * l + 1)]
        self.register_buffer("degree_of_order", torch.tensor(column), persistent=False)

    def forward(self, scalars: Tensor, sphc: Tensor) -> List[Tensor]:
        """Increments of features (N, F) and SPHC (N, M)."""
        coupled = self.coupling(sphc)
        coupled_norms = self.norms(coupled)
        output = self.network(torch.cat([scalars, self.norms(sphc), coupled_norms], dim=-1))
        own = output[:, self.width :].index_select(1, self.degree_of_order)
        cross = self.coupled_scale(coupled_norms).index_select(1, self.degree_of_order)
        return [output[:, : self.width], own * sphc + cross * coupled]


class So3kratesLayer(nn.Module):
    """One message-passing layer: both attentions from the same input, then the atomwise interaction."""

    def __init__(
        self,
        width: int,
        heads: int,
        degrees: List[int],
        filters: List[str],
        basis_size: int,
        filter_width: int,
        parity: str,
        softening: float,
        spherical_neighbourhood: Optional[SphericalNeighbourhood],
    ) -> None:
        super().__init__()
        n = len(degrees)
        self.norms = DegreeNorms(degrees, softening)
        self.features = FeatureAttention(FilterSum(filters, basis_size, n, filter_width, width), width, heads)
        self.geometric = GeometricAttention(FilterSum(filters, basis_size, n, filter_width, width), width, degrees)
        self.interaction = AtomwiseInteraction(width, degrees, parity, softening)
        # A list of none or one, so that the local model has no trace of the non-local one.
        self.far = nn.ModuleList([] if spherical_neighbourhood is None else [spherical_neighbourhood])

    def forward(self, scalars: Tensor, sphc: Tensor, geometries: List[EdgeGeometry]) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values."""
        near = geometries[0]
        distance = self.sphc_distance(sphc, near)
        moved = sphc + self.geometric(scalars, distance, near, near.envelope)
        for neighbourhood in self.far:
            pairs = geometries[1]
            weight = neighbourhood(sphc, pairs.centre, pairs.other)
            moved = moved + self.geometric(scalars, self.sphc_distance(sphc, pairs), pairs, weight)
        scalars = scalars + self.features(scalars, distance, near)
        increments = self.interaction(scalars, moved)
        return [scalars + increments[0], moved + increments[1]]

    def sphc_distance(self, sphc: Tensor, geometry: EdgeGeometry) -> Tensor:
        """Per-degree distances chi_ij^(l) of eq. 16, (E, L)."""
        return self.norms(sphc.index_select(0, geometry.other) - sphc.index_select(0, geometry.centre))


class ConstantNormalisation(nn.Module):
    """Default of eq. 11: divide by the mean number of neighbours of the training set, a constant."""

    def __init__(self, mean_neighbours: float) -> None:
        super().__init__()
        self.mean_neighbours = float(mean_neighbours)

    def forward(self, total: Tensor, geometry: EdgeGeometry) -> Tensor:
        """Sums (N, M) to SPHC (N, M)."""
        return total / self.mean_neighbours


class NeighbourNormalisation(nn.Module):
    """Eq. 11 as printed: divide by C_i, the sum of envelopes. Jumps when the last neighbour leaves."""

    def __init__(self, mean_neighbours: float) -> None:
        super().__init__()

    def forward(self, total: Tensor, geometry: EdgeGeometry) -> Tensor:
        """Sums (N, M) to SPHC (N, M)."""
        count = segment_sum(geometry.envelope, geometry.centre, total.shape[0]).unsqueeze(-1)
        # An isolated atom has no neighbourhood: 0/0 is taken as 0.
        return total / torch.where(count > 0, count, torch.ones_like(count))


NORMALISATIONS = {"constant": ConstantNormalisation, "neighbours": NeighbourNormalisation}


class So3krates(nn.Module):
    """The representation: initial features and edges to features after all layers.

    Its vectors are the SPHC of degree 1 (K = 1), or none if degree 1 is not in use.
    """

    vector_orders: Tensor

    def __init__(
        self,
        width: int = 132,
        layers: int = 6,
        heads: int = 4,
        degrees: Optional[List[int]] = None,
        cutoff: float = 5.0,
        basis_size: int = 32,
        filter_width: int = 128,
        envelope: str = "polynomial",
        envelope_exponent: int = 5,
        filters: Optional[List[str]] = None,
        coupling: str = "even",
        normalisation: str = "constant",
        mean_neighbours: float = 12.0,
        sphc_softening: float = 0.1,
        nonlocal_kappa: Optional[float] = None,
    ) -> None:
        """``nonlocal_kappa`` plugs in the non-local correction of eq. 14 with that kappa (A.2)."""
        super().__init__()
        degrees = _checked_degrees([1, 2, 3] if degrees is None else degrees)
        filters = ["radial", "spherical"] if filters is None else filters
        if coupling not in ("even", "all"):
            raise ConfigError(f"Unknown coupling {coupling!r}; choose 'even' (O(3)) or 'all' (literal, SO(3)).")
        self.width = width
        self.cutoff = float(cutoff)
        self.symmetry = "O(3)" if coupling == "even" else "SO(3)"
        self.is_local = nonlocal_kappa is None
        self.envelope = make_envelope(envelope, cutoff, envelope_exponent)
        self.basis = ExpNormalBasis(basis_size, cutoff)
        self.harmonics = SphericalHarmonics(degrees)
        self.normalisation = choose(NORMALISATIONS, "normalisation", normalisation)(mean_neighbours)
        self.register_buffer("vector_orders", _vector_orders(degrees), persistent=False)
        self.layers = nn.ModuleList(
            [
                So3kratesLayer(
                    width, heads, degrees, filters, basis_size, filter_width, coupling,
                    sphc_softening,
                    None if nonlocal_kappa is None else SphericalNeighbourhood(nonlocal_kappa, sphc_softening),
                )
                for _ in range(layers)
            ]
        )  # fmt: skip

    def requests(self) -> List[float]:
        """The local cutoff, and all pairs if the non-local correction is in use."""
        if self.is_local:
            return [self.cutoff]
        return [self.cutoff, float("inf")]

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Features (N, F) and one ``Edges`` per request to features (N, F)."""
        geometries = [self.edge_geometry(one) for one in edges]
        scalars = features.scalars
        sphc = self.initial_sphc(geometries[0], scalars.shape[0])
        for layer in self.layers:
            updated = layer(scalars, sphc, geometries)
            scalars, sphc = updated[0], updated[1]
        return Features(scalars, self.vectors_of(sphc))

    def edge_geometry(self, edges: Edges) -> EdgeGeometry:
        """Everything about edges that does not change from layer to layer."""
        distance = torch.linalg.vector_norm(edges.vector, dim=-1)
        envelope = self.envelope(distance)
        basis = self.basis(distance) * envelope.unsqueeze(-1)
        harmonics = self.harmonics(edges.vector / distance.unsqueeze(-1))
        return EdgeGeometry(edges.centre, edges.other, envelope, basis, harmonics)

    def initial_sphc(self, geometry: EdgeGeometry, n_atoms: int) -> Tensor:
        """Eq. 11: the normalised sum of envelope-weighted spherical harmonics, (N, M)."""
        total = segment_sum(geometry.harmonics * geometry.envelope.unsqueeze(-1), geometry.centre, n_atoms)
        return self.normalisation(total, geometry)

    def vectors_of(self, sphc: Tensor) -> Tensor:
        """Degree 1 in the order x, y, z: (N, 1, 3), or (N, 0, 3) without it."""
        columns = sphc.index_select(1, self.vector_orders)
        return columns.view(sphc.shape[0], self.vector_orders.shape[0] // 3, 3)


def _checked_degrees(degrees: List[int]) -> List[int]:
    """Sorted degrees; raises ConfigError if there is none, a negative one, or one twice."""
    if not degrees or min(degrees) < 0 or len(set(degrees)) != len(degrees):
        raise ConfigError(f"The degrees {degrees} are not valid; give distinct numbers from 0 on, e.g. [1, 2, 3].")
    return sorted(degrees)


def _vector_orders(degrees: List[int]) -> Tensor:
    """Columns of x, y, z: orders m = 1, -1, 0 of degree 1; none without that degree."""
    start = sum(2 * l + 1 for l in degrees if l < 1)
    return torch.tensor([start + 2, start, start + 1] if 1 in degrees else [], dtype=torch.int64)
