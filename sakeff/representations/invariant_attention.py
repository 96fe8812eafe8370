"""Invariant-feature self-attention (Chen, Villar 2022): equivariant attention from scalar products and determinants.

Equation -> code
  1-3    queries, keys and values          AttentionLayer; x_i - x_j and e_ji are made by InvariantAttention.geometry
  4-7    equivariant function Phi          EquivariantMap
  8      invariants of O(3) or SO(3)       ScalarProducts (E(3) variant), ScalarsAndDeterminants (SE(3) variant)
  8      multilayer perceptron g           smooth_network (or literal_network)
  9-10   concatenation, multi-head         to_heads, from_heads
  11     attention weights                 AttentionLayer, nn.attention
  12     weighted sum of values            AttentionLayer

Deviations of the default, for the sake of a C2 energy; the literal variant of a part is one configuration away:
exponentials carry the C2 envelope of the distance and are normalised by ``1 + sum`` (11); LayerNorm with a variance
softened by 0.01 instead of 1e-5, and SiLU instead of ReLU (8); vectors enter Phi as ``v / sqrt(1 + v^2/s^2)``, because
products of products grow from layer to layer until the exponentials overflow (``saturation`` s = inf is literal).
Deviation without a literal variant: what attention gives is added to the features. The sum over neighbours (12) does
not hold the atom itself, and an atom without neighbours would forget what it is.
Choices where the paper is silent: e_ji is a radial basis of the distance, since bonds are not known; one network g
gives all f of one Phi; heads are merged by concatenation; the first vector channels are the initial vectors
(velocities), the others start at zero.
"""

import itertools
from typing import List, NamedTuple

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError
from sakeff.nn.attention import NORMALISATIONS, enveloped_exp
from sakeff.nn.choose import choose
from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.radial import GaussianBasis
from sakeff.ops import segment_sum, squared_norm
from sakeff.types import Edges, Features


class Generators(NamedTuple):
    """What equivariant functions of T vectors are built of, for each row (atom or edge)."""

    vectors: Tensor  # (R, B, 3), equivariant: the sums of eq. 6 run over them
    invariants: Tensor  # (R, I), arguments of g in eq. 8


class PairGeometry(NamedTuple):
    """What all layers share about the edges."""

    centre: Tensor  # (E,), i
    other: Tensor  # (E,), j
    relative: Tensor  # (E, 1, 3), saturated x_i - x_j
    features: Tensor  # (E, K), e_ji
    envelope: Tensor  # (E,), zero beyond the cutoff


class ScalarProducts(nn.Module):
    """Generators of O(3): the vectors and all ``<v_a, v_b>``, a <= b. The E(3) variant of eqs. 6 and 8."""

    entries: Tensor

    def __init__(self, n_vectors: int) -> None:
        super().__init__()
        pairs = itertools.combinations_with_replacement(range(n_vectors), 2)
        entries = [a * n_vectors + b for a, b in pairs]
        self.register_buffer("entries", torch.tensor(entries, dtype=torch.int64), persistent=False)
        self.n_vectors = n_vectors
        self.n_invariants = len(entries)

    def forward(self, vectors: Tensor) -> Generators:
        """(R, T, 3) to T vectors and T(T+1)/2 invariants."""
        products = torch.matmul(vectors, vectors.transpose(1, 2)).flatten(1)
        return Generators(vectors, products.index_select(1, self.entries))


class ScalarsAndDeterminants(nn.Module):
    """Generators of SO(3): cross products ``v_a x v_b`` (a < b) and ``det[v_a, v_b, v_c]`` (a < b < c) as well."""

    first: Tensor
    second: Tensor
    entries: Tensor

    def __init__(self, n_vectors: int) -> None:
        super().__init__()
        self.products = ScalarProducts(n_vectors)
        pairs = list(itertools.combinations(range(n_vectors), 2))
        # det[v_a, v_b, v_c] = <v_a x v_b, v_c> lies in row (a, b) and column c of a (pairs, T) matrix.
        entries = [k * n_vectors + c for k, (_, b) in enumerate(pairs) for c in range(b + 1, n_vectors)]
        self.register_buffer("first", torch.tensor([a for a, _ in pairs], dtype=torch.int64), persistent=False)
        self.register_buffer("second", torch.tensor([b for _, b in pairs], dtype=torch.int64), persistent=False)
        self.register_buffer("entries", torch.tensor(entries, dtype=torch.int64), persistent=False)
        self.n_vectors = n_vectors + len(pairs)
        self.n_invariants = self.products.n_invariants + len(entries)

    def forward(self, vectors: Tensor) -> Generators:
        """(R, T, 3) to T + T(T-1)/2 vectors and T(T+1)/2 + T(T-1)(T-2)/6 invariants."""
        polar = self.products(vectors)
        axial = torch.linalg.cross(vectors.index_select(1, self.first), vectors.index_select(1, self.second), dim=-1)
        determinants = torch.matmul(axial, vectors.transpose(1, 2)).flatten(1).index_select(1, self.entries)
        return Generators(torch.cat([polar.vectors, axial], dim=1), torch.cat([polar.invariants, determinants], dim=1))


GROUPS = {"E(3)": ScalarProducts, "SE(3)": ScalarsAndDeterminants}
SYMMETRIES = {"E(3)": "O(3)", "SE(3)": "SO(3)"}  # of features that see relative positions only

VARIANCE_SOFTENING = 0.01  # hidden units of fresh weights have variances of this order


def smooth_network(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """Default g of eq. 8: linear, softened LayerNorm, SiLU, linear."""
    norm = nn.LayerNorm(hidden, eps=VARIANCE_SOFTENING)
    return nn.Sequential(nn.Linear(n_in, hidden), norm, nn.SiLU(), nn.Linear(hidden, n_out))


def literal_network(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """The printed g of eq. 8: linear, LayerNorm, ReLU, linear. Forces jump, and a vanishing variance is a cliff."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Linear(hidden, n_out))


NETWORKS = {"smooth": smooth_network, "literal": literal_network}


class Saturation(nn.Module):
    """``v / sqrt(1 + |v|^2 / s^2)``: shorter than s, smooth everywhere; the identity for s = inf."""

    def __init__(self, length: float) -> None:
        super().__init__()
        self.length = float(length)

    def forward(self, vectors: Tensor) -> Tensor:
        """(R, T, 3) to (R, T, 3)."""
        scale = torch.sqrt(1.0 + squared_norm(vectors) / (self.length * self.length))
        return vectors / scale.unsqueeze(-1)


class EquivariantMap(nn.Module):
    """Phi of eqs. 4-8: new vectors ``sum_b f_tb v_b`` and new scalars ``f_l``, all f from one network."""

    def __init__(self, generators: nn.Module, n_scalars: int, width: int, vectors: int, network: str) -> None:
        super().__init__()
        n_generators, n_invariants = int(generators.n_vectors), int(generators.n_invariants)  # type: ignore[arg-type]
        n_out = width + vectors * n_generators
        self.network = choose(NETWORKS, "network", network)(n_invariants + n_scalars, width, n_out)
        self.width = width
        self.shape = [vectors, n_generators]

    def forward(self, generators: Generators, scalars: Tensor) -> Features:
        """Generators and scalars (R, L) to scalars (R, F) and vectors (R, T, 3)."""
        output = self.network(torch.cat([generators.invariants, scalars], dim=-1))
        coefficients = output[:, self.width :].reshape([-1] + self.shape)
        return Features(output[:, : self.width], torch.matmul(coefficients, generators.vectors))


def to_heads(features: Features, heads: int) -> Tensor:
    """Eqs. 9-10 for each head: its equal share of the vectors and of the scalars, concatenated, (R, H, D)."""
    rows = features.scalars.shape[0]
    vectors = features.vectors.reshape(rows, heads, 3 * features.vectors.shape[1] // heads)
    return torch.cat([vectors, features.scalars.reshape(rows, heads, features.scalars.shape[1] // heads)], dim=-1)


def from_heads(x: Tensor, vectors: int) -> Features:
    """The inverse of ``to_heads``: (R, H, D) to scalars (R, F) and vectors (R, T, 3), heads side by side."""
    n_components = 3 * vectors // x.shape[1]
    return Features(x[:, :, n_components:].flatten(1), x[:, :, :n_components].reshape(x.shape[0], vectors, 3))


class AttentionLayer(nn.Module):
    """Eqs. 1-3 and 9-12 with H heads, added to the features."""

    def __init__(
        self,
        width: int,
        vectors: int,
        heads: int,
        basis_size: int,
        group: str,
        network: str,
        normalisation: str,
        saturation: float,
    ) -> None:
        super().__init__()
        make_generators = choose(GROUPS, "group", group)
        self.saturation = Saturation(saturation)
        self.of_atoms = make_generators(vectors)
        self.of_pairs = make_generators(vectors + 1)
        self.query = EquivariantMap(self.of_atoms, width, width, vectors, network)
        self.key = EquivariantMap(self.of_pairs, width + basis_size, width, vectors, network)
        self.value = EquivariantMap(self.of_pairs, width + basis_size, width, vectors, network)
        self.normalisation = choose(NORMALISATIONS, "normalisation", normalisation)()
        self.vectors = vectors
        self.heads = heads

    def forward(self, features: Features, geometry: PairGeometry) -> Features:
        """Scalars (N, F) and vectors (N, T, 3) to their next values."""
        n_atoms = features.scalars.shape[0]
        vectors = self.saturation(features.vectors)
        query = to_heads(self.query(self.of_atoms(vectors), features.scalars), self.heads)
        seen = torch.cat([vectors.index_select(0, geometry.other), geometry.relative], dim=1)
        scalars = torch.cat([features.scalars.index_select(0, geometry.other), geometry.features], dim=1)
        generators = self.of_pairs(seen)
        key = to_heads(self.key(generators, scalars), self.heads)
        value = to_heads(self.value(generators, scalars), self.heads)
        score = (query.index_select(0, geometry.centre) * key).sum(-1)
        weight = self.normalisation(enveloped_exp(score, geometry.envelope), geometry.centre, n_atoms)
        change = from_heads(segment_sum(weight.unsqueeze(-1) * value, geometry.centre, n_atoms), self.vectors)
        return Features(features.scalars + change.scalars, features.vectors + change.vectors)


class InvariantAttention(nn.Module):
    """The representation: features and edges to scalars (N, F) and vectors (N, T, 3).

    ``group`` is "E(3)" (mirror images are equal) or "SE(3)" (they are told apart; vectors are neither polar nor axial).
    Initial vectors (dynamics tasks), at most T, fill the first channels.
    """

    def __init__(
        self,
        width: int = 64,
        vectors: int = 8,
        layers: int = 4,
        heads: int = 4,
        cutoff: float = 5.0,
        basis_size: int = 20,
        group: str = "E(3)",
        envelope: str = "polynomial",
        envelope_exponent: int = 5,
        network: str = "smooth",
        normalisation: str = "smooth",
        saturation: float = 1.0,
    ) -> None:
        super().__init__()
        if width % heads != 0 or vectors % heads != 0 or vectors < 1:
            raise ConfigError(f"{width} scalars and {vectors} vectors cannot be shared equally by {heads} heads.")
        if not saturation > 0.0:
            raise ConfigError(f"The saturation is {saturation}; give a positive length, or inf for none.")
        self.width = width
        self.vectors = vectors
        self.cutoff = float(cutoff)
        self.symmetry = choose(SYMMETRIES, "group", group)
        self.is_local = True
        self.envelope = make_envelope(envelope, cutoff, envelope_exponent)
        self.basis = GaussianBasis(basis_size, cutoff)
        self.saturation = Saturation(saturation)
        self.layers = nn.ModuleList(
            [
                AttentionLayer(width, vectors, heads, basis_size, group, network, normalisation, saturation)
                for _ in range(layers)
            ]
        )

    def requests(self) -> List[float]:
        """One list, up to the cutoff."""
        return [self.cutoff]

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Scalars (N, F), any vectors, and one ``Edges`` to the features after all layers."""
        geometry = self.geometry(edges[0])
        features = self.initial_features(features)
        for layer in self.layers:
            features = layer(features, geometry)
        return features

    def geometry(self, edges: Edges) -> PairGeometry:
        """Everything about edges that does not change from layer to layer."""
        distance = torch.linalg.vector_norm(edges.vector, dim=-1)
        relative = self.saturation(-edges.vector.unsqueeze(1))
        return PairGeometry(edges.centre, edges.other, relative, self.basis(distance), self.envelope(distance))

    def initial_features(self, features: Features) -> Features:
        """The initial vectors (N, K, 3) completed by zeros to (N, T, 3); raises ConfigError if K > T."""
        n_atoms, n_given = features.vectors.shape[0], features.vectors.shape[1]
        if n_given > self.vectors:
            raise ConfigError("There are more initial vectors than vector channels; raise 'vectors'.")
        zeros = features.scalars.new_zeros([n_atoms, self.vectors - n_given, 3])
        return Features(features.scalars, torch.cat([features.vectors, zeros], dim=1))
