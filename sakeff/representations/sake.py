"""SAKE (Wang, Chodera 2023): spatial attention kinetic network with E(n) equivariance.

Equation -> code
  7      edge embedding                    EdgeEmbedding
  8-10   semantic x distance attention     SemanticAttention (or DistanceAttention, its ablation)
  6, 11  spatial attention                 SpatialAttention (or NoSpatialAttention)
  12-13  velocity and position update      KineticUpdate (or NoUpdate)
  4      node update                       SakeLayer
  Algorithm 1                              SakeLayer, Sake

Positions never enter: atoms carry displacements u (start 0), and layers use vector + u[other] - u[centre].

Deviations of the default, for the sake of a C2 energy; the literal variant of a part is one configuration away:
polynomial envelope of the *physical* distance in every layer (8); attention normalised by ``1 + sum`` (10); a smooth
activation before the exponential (CeLU is C1); squared norms in the spatial attention (6); directions
``e / sqrt(e^2 + s^2)`` from the second layer on, because moved positions can coincide.
Choices where the paper is silent or contradicts itself: tanh acts on the scalars lambda (9.3 would break rotations);
positions advance by the new velocity (Algorithm 1, not eq. 13); the gamma of 9.3 appears in no equation and is left
out; the node update is residual.
"""

from typing import List, NamedTuple

import torch
from torch import Tensor, nn

from sakeff.nn.attention import NORMALISATIONS, enveloped_exp
from sakeff.nn.choose import choose
from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.mlp import PairLinear, PartLinear, make_activation, make_mlp
from sakeff.nn.radial import GaussianBasis
from sakeff.ops import segment_sum, smooth_norm, squared_norm
from sakeff.types import Edges, Features


class State(NamedTuple):
    """What a layer hands to the next."""

    scalars: Tensor  # (N, F)
    displacement: Tensor  # (N, 3), A
    velocity: Tensor  # (N, 3), A per layer


class EdgeEmbedding(nn.Module):
    """Eq. 7: ``phi_e(h_u (+) h_v (+) d (+) RBF(d) * f_r(h_u (+) h_v))``.

    The first linear map of phi_e is split into its four inputs, so that the parts on atoms are computed once per atom.
    """

    def __init__(self, width: int, basis_size: int, cutoff: float) -> None:
        super().__init__()
        self.basis = GaussianBasis(basis_size, cutoff)
        self.filter = PairLinear(width, basis_size)
        fan_in = 2 * width + 1 + basis_size
        self.from_atoms = PairLinear(width, width, fan_in)
        self.from_distance = PartLinear(1, width, fan_in)
        self.from_filter = PartLinear(basis_size, width, fan_in)
        self.output = nn.Sequential(nn.SiLU(), nn.Linear(width, width))

    def forward(self, scalars: Tensor, distance: Tensor, edges: Edges) -> Tensor:
        """(N, F) and (E,) to (E, F)."""
        filtered = self.basis(distance) * self.filter(scalars, edges.centre, edges.other)
        hidden = self.from_atoms(scalars, edges.centre, edges.other)
        hidden = hidden + self.from_distance(distance.unsqueeze(-1)) + self.from_filter(filtered)
        return self.output(hidden)


class SemanticAttention(nn.Module):
    """Eqs. 8-10, H heads: envelope times ``exp(sigma(a_h . h_e))``, normalised over the neighbours of an atom."""

    def __init__(self, width: int, heads: int, activation: str, normalisation: nn.Module) -> None:
        super().__init__()
        self.score = nn.Linear(width, heads, bias=False)
        self.activation = make_activation(activation)
        self.normalisation = normalisation
        self.heads = heads

    def forward(self, edge_features: Tensor, envelope: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        """(E, F) and (E,) to attention weights (E, H)."""
        score = self.activation(self.score(edge_features))
        return self.normalisation(enveloped_exp(score, envelope), centre, n_atoms)


class DistanceAttention(nn.Module):
    """The ablation of eq. 10: the envelope alone, normalised, one head."""

    def __init__(self, width: int, heads: int, activation: str, normalisation: nn.Module) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.heads = 1

    def forward(self, edge_features: Tensor, envelope: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        """(E, F) and (E,) to attention weights (E, 1)."""
        return self.normalisation(envelope.unsqueeze(-1), centre, n_atoms)


ATTENTIONS = {"semantic": SemanticAttention, "distance": DistanceAttention}


class Directions(nn.Module):
    """``e / sqrt(e^2 + s^2)`` and its length; s = 0 is exact and used where e cannot vanish (first layer)."""

    def __init__(self, softening: float) -> None:
        super().__init__()
        self.softening = float(softening)

    def forward(self, vector: Tensor) -> List[Tensor]:
        """(E, 3) to directions (E, 3) and smooth distances (E,)."""
        length = torch.sqrt(squared_norm(vector) + self.softening * self.softening)
        return [vector / length.unsqueeze(-1), length]


class Combinations(nn.Module):
    """Eq. 11: ``sum_u lambda_i(h_e) e/|e|`` for i = 1..C, with ``lambda = tanh(W h_e)``."""

    def __init__(self, n_in: int, coefficients: int) -> None:
        super().__init__()
        self.coefficients = nn.Linear(n_in, coefficients, bias=False)

    def forward(self, weighted: Tensor, direction: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        """(E, H F) and (E, 3) to (N, C, 3)."""
        coefficients = torch.tanh(self.coefficients(weighted))
        return segment_sum(coefficients.unsqueeze(-1) * direction.unsqueeze(1), centre, n_atoms)


class SquaredNorm(nn.Module):
    """Default of eq. 6: ``|x|^2``, smooth at zero."""

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, C, 3) to (N, C)."""
        return squared_norm(vectors)


class EuclideanNorm(nn.Module):
    """Eq. 6 as printed: ``|x|``, with a kink at zero; 1e-12 keeps its gradient finite there."""

    def forward(self, vectors: Tensor) -> Tensor:
        """(N, C, 3) to (N, C)."""
        return smooth_norm(vectors, 1e-12)


NORMS = {"squared": SquaredNorm, "euclidean": EuclideanNorm}


class SpatialAttention(nn.Module):
    """Eq. 6: ``mu`` of the norms of the C combinations."""

    def __init__(self, width: int, coefficients: int, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm
        self.network = make_mlp([coefficients, width, width])
        self.width = width

    def forward(self, combinations: Tensor) -> Tensor:
        """(N, C, 3) to (N, F)."""
        return self.network(self.norm(combinations))


class NoSpatialAttention(nn.Module):
    """The ablation of eq. 6: nothing to concatenate."""

    def __init__(self, width: int, coefficients: int, norm: nn.Module) -> None:
        super().__init__()
        self.width = 0

    def forward(self, combinations: Tensor) -> Tensor:
        """(N, C, 3) to (N, 0)."""
        return combinations.new_zeros([combinations.shape[0], 0])


SPATIAL = {"spatial": SpatialAttention, "none": NoSpatialAttention}


class KineticUpdate(nn.Module):
    """Eqs. 12-13: ``v' = 2 sigmoid(phi_v(h)) v + W_v sum_i combination_i`` and ``u' = u + v'`` (Algorithm 1)."""

    def __init__(self, width: int, coefficients: int) -> None:
        super().__init__()
        self.scale = make_mlp([width, width, 1])
        self.mixing = nn.Linear(coefficients, 1, bias=False)

    def forward(self, state: State, combinations: Tensor) -> List[Tensor]:
        """State and (N, C, 3) to the next displacement and velocity, (N, 3) each."""
        push = self.mixing(combinations.transpose(1, 2)).squeeze(-1)
        velocity = 2.0 * torch.sigmoid(self.scale(state.scalars)) * state.velocity + push
        return [state.displacement + velocity, velocity]


class NoUpdate(nn.Module):
    """The ablation of eqs. 12-13: atoms stay where they are."""

    def __init__(self, width: int, coefficients: int) -> None:
        super().__init__()

    def forward(self, state: State, combinations: Tensor) -> List[Tensor]:
        """Displacement and velocity unchanged."""
        return [state.displacement, state.velocity]


UPDATES = {"kinetic": KineticUpdate, "none": NoUpdate}


class SakeLayer(nn.Module):
    """Algorithm 1, from parts that are chosen by the constructor of ``Sake``."""

    def __init__(
        self,
        width: int,
        coefficients: int,
        embedding: EdgeEmbedding,
        attention: SemanticAttention | DistanceAttention,
        spatial: SpatialAttention | NoSpatialAttention,
        update: KineticUpdate | NoUpdate,
        softening: float,
    ) -> None:
        super().__init__()
        n_weighted = width * attention.heads
        self.directions = Directions(softening)
        self.embedding = embedding
        self.attention = attention
        self.combinations = Combinations(n_weighted, coefficients)
        self.spatial = spatial
        self.update = update
        self.node = make_mlp([width + n_weighted + spatial.width, width, width])

    def forward(self, state: State, edges: Edges, envelope: Tensor) -> State:
        """One step of features, displacements and velocities; ``envelope`` (E,) is that of the physical distance."""
        n_atoms = state.scalars.shape[0]
        moved = state.displacement.index_select(0, edges.other) - state.displacement.index_select(0, edges.centre)
        geometry = self.directions(edges.vector + moved)
        direction, distance = geometry[0], geometry[1]
        edge_features = self.embedding(state.scalars, distance, edges)
        attention = self.attention(edge_features, envelope, edges.centre, n_atoms)
        weighted = (attention.unsqueeze(-1) * edge_features.unsqueeze(1)).flatten(1)
        combinations = self.combinations(weighted, direction, edges.centre, n_atoms)
        aggregated = segment_sum(weighted, edges.centre, n_atoms)
        update = self.node(torch.cat([state.scalars, aggregated, self.spatial(combinations)], dim=-1))
        motion = self.update(state, combinations)
        return State(state.scalars + update, motion[0], motion[1])


class Sake(nn.Module):
    """The representation: features and edges to scalars (N, F) and vectors (N, 2, 3), displacement and velocity.

    An initial velocity is taken from the first vector of the initial features if there is one (dynamics tasks).
    """

    def __init__(
        self,
        width: int = 64,
        layers: int = 6,
        heads: int = 4,
        coefficients: int = 64,
        cutoff: float = 5.0,
        basis_size: int = 50,
        envelope: str = "polynomial",
        envelope_exponent: int = 5,
        attention: str = "semantic",
        attention_activation: str = "silu",
        normalisation: str = "smooth",
        spatial: str = "spatial",
        norm: str = "squared",
        update: str = "kinetic",
        softening: float = 0.3,
    ) -> None:
        super().__init__()
        self.width = width
        self.cutoff = float(cutoff)
        self.symmetry = "O(3)"
        self.is_local = True
        self.envelope = make_envelope(envelope, cutoff, envelope_exponent)
        self.layers = nn.ModuleList()
        for index in range(layers):
            make_normalisation = choose(NORMALISATIONS, "normalisation", normalisation)
            make_norm = choose(NORMS, "norm", norm)
            layer = SakeLayer(
                width,
                coefficients,
                EdgeEmbedding(width, basis_size, cutoff),
                choose(ATTENTIONS, "attention", attention)(width, heads, attention_activation, make_normalisation()),
                choose(SPATIAL, "spatial attention", spatial)(width, coefficients, make_norm()),
                choose(UPDATES, "update", update)(width, coefficients),
                softening if index > 0 else 0.0,
            )
            self.layers.append(layer)

    def requests(self) -> List[float]:
        """One list, up to the cutoff."""
        return [self.cutoff]

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Features (N, F) and one ``Edges`` to features with displacement and velocity as vectors."""
        local = edges[0]
        envelope = self.envelope(torch.linalg.vector_norm(local.vector, dim=-1))
        state = self.initial_state(features)
        for layer in self.layers:
            state = layer(state, local, envelope)
        return Features(state.scalars, torch.stack([state.displacement, state.velocity], dim=1))

    def initial_state(self, features: Features) -> State:
        """Displacement zero; velocity zero or the first initial vector."""
        zero = features.scalars.new_zeros([features.scalars.shape[0], 3])
        if features.vectors.shape[1] > 0:
            return State(features.scalars, zero, features.vectors[:, 0])
        return State(features.scalars, zero, zero)
