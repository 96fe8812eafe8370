"""So3krates for inference: the same function as ``representations.so3krates``, arranged for speed.

What is different, and why:
- undirected pairs: filters w_ij (eq. 16) are symmetric, so each is computed once for both directions;
- the radial filters depend on the distance alone: tabulated (``fast.table``), both of a layer in one table, with the
  output biases of the spherical filters added;
- queries, keys and values of a layer are one matrix product, and the learned coupling is one fixed matrix;
- a layer is two steps, one on pairs (``PairAttention``) and one on atoms (``FastInteraction``), and each has a twin
  that is one operator (``fast.so3krates_native``);
- the non-local correction (``FarAttention``) passes by the pairs whose weight is exactly zero, which are most.

Only models with constant normalisation and the polynomial (C2) envelope have this form; ``FastSo3krates.supports``
says so.
"""

import copy
import math
from typing import List, NamedTuple

import torch
from torch import Tensor, nn

from sakeff.fast.table import RadialTable, tabulate
from sakeff.nn.cutoffs import PolynomialEnvelope
from sakeff.nn.sphc import CrossDegreeCoupling
from sakeff.nn.spherical import SphericalHarmonics
from sakeff.ops import segment_sum
from sakeff.representations.so3krates import (
    AtomwiseInteraction,
    AttentionCoefficients,
    ConstantNormalisation,
    RadialFilter,
    So3krates,
    So3kratesLayer,
    SphericalFilter,
)
from sakeff.representations.sphc_nonlocal import SphericalNeighbourhood
from sakeff.types import Edges, Features


class Pairs(NamedTuple):
    """Undirected pairs, each listed once, sorted by centre."""

    centre: Tensor  # (P,)
    other: Tensor  # (P,)
    distance: Tensor  # (P,)
    envelope: Tensor  # (P,)
    harmonics: Tensor  # (P, M), of the direction from centre to other


class PairGeometry(nn.Module):
    """Pair vectors to what all layers share, and to the initial SPHC (eq. 11 with a constant in place of C_i)."""

    parity: Tensor  # (M,), Y_lm(-n) = (-1)^l Y_lm(n)

    def __init__(self, degrees: List[int], envelope: PolynomialEnvelope, mean_neighbours: float) -> None:
        super().__init__()
        self.degrees = degrees
        self.envelope = envelope
        self.scale = 1.0 / mean_neighbours
        self.harmonics = SphericalHarmonics(degrees)
        parity = [(-1.0) ** l for l in degrees for _ in range(2 * l + 1)]
        self.register_buffer("parity", torch.tensor(parity, dtype=torch.float64), persistent=False)

    def forward(self, vector: Tensor, centre: Tensor, other: Tensor, n_atoms: int) -> List[Tensor]:
        """(P, 3) to distances (P,), envelopes (P,), harmonics (P, M) and SPHC (N, M)."""
        distance = torch.linalg.vector_norm(vector, dim=-1)
        harmonics = self.harmonics(vector / distance.unsqueeze(-1))
        envelope = self.envelope(distance)
        there = harmonics * (envelope * self.scale).unsqueeze(-1)
        sphc = torch.zeros([n_atoms, there.shape[1]], dtype=there.dtype, device=there.device)
        sphc = sphc.index_add(0, centre, there).index_add(0, other, there * self.parity)
        return [distance, envelope, harmonics, sphc]


class PairAttention(nn.Module):
    """Both attentions of a layer (eqs. 12-16) over pairs: ``alpha_ij = envelope q_i w_ij k_j / sqrt(F/H)``."""

    projection: Tensor  # (5F, F), to query and key of the features, their value, query and key of the SPHC
    hidden_weight: Tensor  # (2H, L), the first maps of both spherical filters
    hidden_bias: Tensor  # (2H,)
    output_weight: Tensor  # (2, F, H), their second maps
    degree_of_order: Tensor  # (M,)
    parity: Tensor  # (M,), Y_lm(-n) = (-1)^l Y_lm(n)

    def __init__(self, layer: So3kratesLayer, table: RadialTable, degrees: List[int]) -> None:
        super().__init__()
        features, geometric = layer.features.coefficients, layer.geometric.coefficients
        self.table = table
        self.norms = layer.norms
        self.degrees = degrees
        self.heads = features.heads
        self.width = table.nodes.shape[2] // 2
        projections = [features.query, features.key, layer.features.value, geometric.query, geometric.key]
        self.register_buffer("projection", torch.cat([part.weight for part in projections]).detach())
        spherical = spherical_networks([features, geometric])
        nothing = table.nodes.new_zeros([0])  # without spherical filters, H = 0
        hidden = [network[0].weight for network in spherical] or [nothing.view(0, len(degrees))]
        bias = [network[0].bias for network in spherical] or [nothing]
        output = [network[2].weight for network in spherical] or [nothing.view(self.width, 0)] * 2
        self.register_buffer("hidden_weight", torch.cat(hidden).detach())
        self.register_buffer("hidden_bias", torch.cat(bias).detach())
        self.register_buffer("output_weight", torch.stack(output).detach())
        column = [index for index, l in enumerate(degrees) for _ in range(2 * l + 1)]
        signs = [(-1.0) ** degrees[index] for index in column]
        self.register_buffer("degree_of_order", torch.tensor(column), persistent=False)
        self.register_buffer("parity", torch.tensor(signs, dtype=table.nodes.dtype), persistent=False)

    def forward(self, scalars: Tensor, sphc: Tensor, pairs: Pairs) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values."""
        projected = nn.functional.linear(scalars, self.projection)
        filters = self.filters(sphc, pairs)
        one = projected.index_select(0, pairs.centre).split(self.width, 1)
        two = projected.index_select(0, pairs.other).split(self.width, 1)
        weights = self.coefficients(one[0], two[1], filters[0], pairs.envelope, self.heads)
        features = scalars.index_add(0, pairs.centre, self.weighted(weights, two[2]))
        weights = self.coefficients(two[0], one[1], filters[0], pairs.envelope, self.heads)
        features = features.index_add(0, pairs.other, self.weighted(weights, one[2]))
        there = self.coefficients(one[3], two[4], filters[1], pairs.envelope, len(self.degrees))
        back = self.coefficients(two[3], one[4], filters[1], pairs.envelope, len(self.degrees))
        there = there.index_select(1, self.degree_of_order) * pairs.harmonics
        back = back.index_select(1, self.degree_of_order) * self.parity * pairs.harmonics
        moved = sphc.index_add(0, pairs.centre, there).index_add(0, pairs.other, back)
        return [features, moved]

    def filters(self, sphc: Tensor, pairs: Pairs) -> List[Tensor]:
        """w_ij (P, F) of the features and of the SPHC."""
        distance = self.norms(sphc.index_select(0, pairs.other) - sphc.index_select(0, pairs.centre))
        hidden = nn.functional.silu(nn.functional.linear(distance, self.hidden_weight, self.hidden_bias))
        n = self.output_weight.shape[2]
        radial = self.table(pairs.distance).split(self.width, 1)
        return [
            radial[0] + nn.functional.linear(hidden[:, :n], self.output_weight[0]),
            radial[1] + nn.functional.linear(hidden[:, n:], self.output_weight[1]),
        ]

    def coefficients(self, query: Tensor, key: Tensor, filters: Tensor, envelope: Tensor, heads: int) -> Tensor:
        """Eqs. 15 and 32 times the envelope, (P, heads)."""
        product = (query * filters * key).view(-1, heads, self.width // heads).sum(-1)
        return product * (envelope / math.sqrt(self.width // heads)).unsqueeze(-1)

    def weighted(self, weights: Tensor, values: Tensor) -> Tensor:
        """(P, heads) and (P, F) to (P, F)."""
        heads = values.view(-1, self.heads, self.width // self.heads) * weights.unsqueeze(-1)
        return heads.view(values.shape)


class FixedCoupling(nn.Module):
    """Eq. 19 with its learned weights multiplied into one matrix once, instead of at every call."""

    matrix: Tensor  # (M*M, M)

    def __init__(self, coupling: CrossDegreeCoupling) -> None:
        super().__init__()
        self.size = coupling.size
        self.register_buffer("matrix", torch.einsum("p,pab->ab", coupling.weights, coupling.paths).detach())

    def forward(self, chi: Tensor) -> Tensor:
        """(N, M) to (N, M)."""
        pairs = chi.unsqueeze(2) * chi.unsqueeze(1)
        return pairs.view(chi.shape[0], self.size * self.size) @ self.matrix


class FastInteraction(nn.Module):
    """The atomwise interaction (eqs. 17-19) with a fixed coupling."""

    def __init__(self, interaction: AtomwiseInteraction) -> None:
        super().__init__()
        self.increments: AtomwiseInteraction = copy.deepcopy(interaction)
        self.increments.coupling = FixedCoupling(interaction.coupling)

    def forward(self, scalars: Tensor, sphc: Tensor) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values."""
        increments = self.increments(scalars, sphc)
        return [scalars + increments[0], sphc + increments[1]]


class FarAttention(nn.Module):
    """The non-local correction (eq. 14): the attention of the SPHC over pairs that are near in SPHC space.

    Most weights are exactly zero. What follows is done for the others alone.
    """

    def __init__(self, neighbourhood: SphericalNeighbourhood, attention: PairAttention, geometry: PairGeometry) -> None:
        """``attention`` is that of the same layer; the correction has no parameters of its own."""
        super().__init__()
        self.neighbourhood = neighbourhood
        self.attention = attention
        self.geometry = geometry

    def forward(self, scalars: Tensor, sphc: Tensor, edges: Edges) -> Tensor:
        """Features (N, F), SPHC (N, M) and all directed pairs to the increment of the SPHC (N, M)."""
        attention, width = self.attention, self.attention.width
        pairs = self.near(sphc, edges)
        if pairs.centre.shape[0] == 0:  # so it is in the first layer, where SPHC are short and alike
            return torch.zeros_like(sphc)
        projected = nn.functional.linear(scalars, attention.projection[3 * width :])
        query = projected[:, :width].index_select(0, pairs.centre)
        key = projected[:, width:].index_select(0, pairs.other)
        filters = attention.filters(sphc, pairs)[1]
        alpha = attention.coefficients(query, key, filters, pairs.envelope, len(attention.degrees))
        message = alpha.index_select(1, attention.degree_of_order) * pairs.harmonics
        return segment_sum(message, pairs.centre, sphc.shape[0])

    def near(self, sphc: Tensor, edges: Edges) -> Pairs:
        """The directed pairs that have a weight, which takes the place of the envelope."""
        centre, other, vector = edges.centre, edges.other, edges.vector
        weight = self.neighbourhood(sphc, centre, other)
        if weight.is_cpu:  # elsewhere the host would wait for their number, and CUDA graphs have one shape
            chosen = torch.nonzero(weight.detach()).squeeze(-1)
            centre, other = centre.index_select(0, chosen), other.index_select(0, chosen)
            vector, weight = vector.index_select(0, chosen), weight.index_select(0, chosen)
        geometry = self.geometry(vector, centre, other, sphc.shape[0])
        return Pairs(centre, other, geometry[0], weight, geometry[2])


class FastLayer(nn.Module):
    """One message-passing layer."""

    def __init__(self, attention: PairAttention, far: List[FarAttention], interaction: FastInteraction) -> None:
        """``far`` is the non-local correction, or nothing."""
        super().__init__()
        self.attention = attention
        self.far = nn.ModuleList(far)
        self.interaction = interaction

    def forward(self, scalars: Tensor, sphc: Tensor, pairs: Pairs, edges: List[Edges]) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values; ``edges`` is one for each request."""
        moved = self.attention(scalars, sphc, pairs)
        next_sphc = moved[1]
        for far in self.far:
            next_sphc = next_sphc + far(scalars, sphc, edges[1])
        next_values: List[Tensor] = self.interaction(moved[0], next_sphc)
        return next_values


class FastSo3krates(nn.Module):
    """The representation: edges to features, as ``So3krates`` does within the tolerance of the tables."""

    vector_orders: Tensor

    def __init__(self, reference: So3krates, tolerance: float) -> None:
        """``reference`` in float64; ``tolerance`` is the largest relative error of a tabulated filter."""
        super().__init__()
        degrees = reference.harmonics.degrees
        self.width = reference.width
        self.symmetry = reference.symmetry
        self.is_local = reference.is_local
        self.cutoffs: List[float] = reference.requests()
        mean_neighbours = float(reference.normalisation.mean_neighbours)
        self.geometry = PairGeometry(degrees, reference.envelope, mean_neighbours)
        self.register_buffer("vector_orders", reference.vector_orders.clone(), persistent=False)
        self.layers = nn.ModuleList()
        for layer in reference.layers:
            attention = pair_attention(reference, layer, tolerance)
            far = [FarAttention(neighbourhood, attention, self.geometry) for neighbourhood in layer.far]
            self.layers.append(FastLayer(attention, far, FastInteraction(layer.interaction)))

    @staticmethod
    def supports(reference: nn.Module) -> bool:
        """Whether a representation has this form."""
        return (
            isinstance(reference, So3krates)
            and isinstance(reference.normalisation, ConstantNormalisation)
            and isinstance(reference.envelope, PolynomialEnvelope)
        )

    def requests(self) -> List[float]:
        """The local cutoff, and all pairs if the non-local correction is in use."""
        return self.cutoffs

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Features (N, F) and one ``Edges`` per request to features (N, F)."""
        chosen = half_of(edges[0].reverse)
        centre, other = edges[0].centre.index_select(0, chosen), edges[0].other.index_select(0, chosen)
        scalars = features.scalars
        geometry = self.geometry(edges[0].vector.index_select(0, chosen), centre, other, scalars.shape[0])
        pairs, sphc = Pairs(centre, other, geometry[0], geometry[1], geometry[2]), geometry[3]
        for layer in self.layers:
            updated = layer(scalars, sphc, pairs, edges)
            scalars, sphc = updated[0], updated[1]
        columns = sphc.index_select(1, self.vector_orders)
        return Features(scalars, columns.view(sphc.shape[0], self.vector_orders.shape[0] // 3, 3))


def half_of(reverse: Tensor) -> Tensor:
    """The indices of one of the two edges of each pair; half as many as edges, so the size is known beforehand.

    Padding edges are their own reverse. Where there are some, the places that are left hold one of them.
    """
    index = torch.arange(reverse.shape[0], device=reverse.device)
    if reverse.shape[0] == 0:
        return index  # not every version of torch takes an empty input on a GPU
    chosen = torch.nonzero_static(index < reverse, size=reverse.shape[0] // 2, fill_value=-1).squeeze(-1)
    padding = (index == reverse).to(torch.int8).argmax()
    return torch.where(chosen < 0, padding, chosen)


def pair_attention(reference: So3krates, layer: So3kratesLayer, tolerance: float) -> PairAttention:
    """The attentions of one layer with their radial filters tabulated."""
    attentions: List[AttentionCoefficients] = [layer.features.coefficients, layer.geometric.coefficients]

    def radial(distance: Tensor) -> Tensor:
        basis = reference.basis(distance) * reference.envelope(distance).unsqueeze(-1)
        return torch.cat([radial_part(attention, basis) for attention in attentions], dim=-1)

    table = tabulate(radial, reference.cutoff, tolerance)
    return PairAttention(layer, table, reference.harmonics.degrees)


def spherical_networks(attentions: List[AttentionCoefficients]) -> List[nn.Sequential]:
    """Those of the spherical filters of both attentions, or none."""
    parts = [part for attention in attentions for part in attention.filters.parts]
    return [part.network for part in parts if isinstance(part, SphericalFilter)]


def radial_part(attention: AttentionCoefficients, basis: Tensor) -> Tensor:
    """What a filter is made of besides the spherical network: radial network and constant biases, (P, F)."""
    total = torch.zeros([basis.shape[0], attention.filters.width], dtype=basis.dtype)
    for part in attention.filters.parts:
        total = total + (part.network(basis) if isinstance(part, RadialFilter) else part.network[2].bias)
    return total
