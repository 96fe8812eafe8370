"""SAKE for inference: the same function as ``representations.sake``, arranged for speed.

What is different: the maps of a layer that act on atoms before the edges are reached (first map of the edge network
and filter, for centres and others) are one matrix product, and a layer is two steps, one on edges (``EdgeLayer``) and
one on atoms (``AtomLayer``), each with a twin that is one operator (``fast.sake_native``).

Only the default attention has this form (semantic, SiLU, smooth normalisation); ``FastSake.supports`` says so.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.nn.attention import SmoothNormalisation
from sakeff.ops import segment_sum
from sakeff.representations.sake import Directions, Sake, SakeLayer, SemanticAttention, State
from sakeff.types import Edges, Features


class EdgeLayer(nn.Module):
    """Eqs. 7-11 on edges: features of atoms to aggregated edge features and spatial combinations.

    The projection holds the parts of the first map and of the filter that act on the centre, then those that act on
    the other atom.
    """

    centres: Tensor  # (K,), of the Gaussian basis
    distance: Tensor  # (F,), column of the first map that acts on the distance
    filter: Tensor  # (F, K), columns that act on the filtered basis
    output: Tensor  # (F, F)
    output_bias: Tensor  # (F,)
    score: Tensor  # (H, F)
    coefficients: Tensor  # (C, H F)

    def __init__(self, layer: SakeLayer) -> None:
        super().__init__()
        embedding = layer.embedding
        self.projection = joined_projections(layer)
        self.sharpness = float(embedding.basis.coefficient)
        self.softening = float(layer.directions.softening)
        self.directions: Directions = layer.directions
        self.normalisation: SmoothNormalisation = layer.attention.normalisation
        self.register_buffer("centres", embedding.basis.centres.clone())
        self.register_buffer("distance", embedding.from_distance.weight.detach()[:, 0].clone())
        self.register_buffer("filter", embedding.from_filter.weight.detach())
        self.register_buffer("output", embedding.output[1].weight.detach())
        self.register_buffer("output_bias", embedding.output[1].bias.detach())
        self.register_buffer("score", layer.attention.score.weight.detach())
        self.register_buffer("coefficients", layer.combinations.coefficients.weight.detach())

    def forward(self, scalars: Tensor, displacement: Tensor, edges: Edges, envelope: Tensor) -> List[Tensor]:
        """(N, F), (N, 3), edges and (E,) to (N, H F) and (N, C, 3)."""
        n_atoms = scalars.shape[0]
        moved = displacement.index_select(0, edges.other) - displacement.index_select(0, edges.centre)
        geometry = self.directions(edges.vector + moved)
        features = self.edge_features(self.projection(scalars), geometry[1], edges)
        score = nn.functional.silu(nn.functional.linear(features, self.score))
        score = torch.exp(score.masked_fill(envelope.unsqueeze(-1) == 0.0, 0.0))
        attention = self.normalisation(score * envelope.unsqueeze(-1), edges.centre, n_atoms)
        weighted = (attention.unsqueeze(-1) * features.unsqueeze(1)).flatten(1)
        coefficients = torch.tanh(nn.functional.linear(weighted, self.coefficients))
        combinations = coefficients.unsqueeze(-1) * geometry[0].unsqueeze(1)
        return [segment_sum(weighted, edges.centre, n_atoms), segment_sum(combinations, edges.centre, n_atoms)]

    def edge_features(self, projected: Tensor, distance: Tensor, edges: Edges) -> Tensor:
        """Eq. 7, (E, F)."""
        half = projected.shape[1] // 2
        both = projected[:, :half].index_select(0, edges.centre) + projected[:, half:].index_select(0, edges.other)
        width = self.output.shape[0]
        difference = distance.unsqueeze(-1) - self.centres
        filtered = torch.exp(-self.sharpness * difference * difference) * both[:, width:]
        hidden = both[:, :width] + distance.unsqueeze(-1) * self.distance
        hidden = hidden + nn.functional.linear(filtered, self.filter)
        return nn.functional.linear(nn.functional.silu(hidden), self.output, self.output_bias)


class AtomLayer(nn.Module):
    """Eqs. 4, 6, 12 and 13 on atoms: state and sums over edges to the next state."""

    def __init__(self, layer: SakeLayer) -> None:
        super().__init__()
        self.spatial = layer.spatial
        self.update = layer.update
        self.node = layer.node

    def forward(self, state: State, aggregated: Tensor, combinations: Tensor) -> State:
        """(N, H F) and (N, C, 3) with the state."""
        gained = self.node(torch.cat([state.scalars, aggregated, self.spatial(combinations)], dim=-1))
        motion = self.update(state, combinations)
        return State(state.scalars + gained, motion[0], motion[1])


class FastSakeLayer(nn.Module):
    """Algorithm 1 in two steps."""

    def __init__(self, edge_layer: EdgeLayer, atom_layer: AtomLayer) -> None:
        super().__init__()
        self.edge_layer = edge_layer
        self.atom_layer = atom_layer

    def forward(self, state: State, edges: Edges, envelope: Tensor) -> State:
        """One step of features, displacements and velocities; ``envelope`` (E,) is that of the physical distance."""
        sums = self.edge_layer(state.scalars, state.displacement, edges, envelope)
        next_state: State = self.atom_layer(state, sums[0], sums[1])
        return next_state


class EdgeEnvelope(nn.Module):
    """The envelope of the length of edge vectors."""

    def __init__(self, envelope: nn.Module) -> None:
        super().__init__()
        self.envelope = envelope

    def forward(self, vector: Tensor) -> Tensor:
        """(E, 3) to (E,)."""
        return self.envelope(torch.linalg.vector_norm(vector, dim=-1))


class FastSake(nn.Module):
    """The representation: features and edges to scalars and vectors, as ``Sake`` does."""

    def __init__(self, reference: Sake, tolerance: float) -> None:
        """Nothing is tabulated, so the tolerance is not used."""
        super().__init__()
        self.width = reference.width
        self.cutoff = reference.cutoff
        self.symmetry = reference.symmetry
        self.is_local = True
        self.envelope = EdgeEnvelope(reference.envelope)
        self.layers = nn.ModuleList([FastSakeLayer(EdgeLayer(layer), AtomLayer(layer)) for layer in reference.layers])

    @staticmethod
    def supports(reference: nn.Module) -> bool:
        """Whether a representation has this form."""
        return isinstance(reference, Sake) and all(has_default_attention(layer) for layer in reference.layers)

    def requests(self) -> List[float]:
        """One list, up to the cutoff."""
        return [self.cutoff]

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Features (N, F) and one ``Edges`` to features with displacement and velocity as vectors."""
        local = edges[0]
        envelope = self.envelope(local.vector)
        zero = features.scalars.new_zeros([features.scalars.shape[0], 3])
        state = State(features.scalars, zero, zero)
        for layer in self.layers:
            state = layer(state, local, envelope)
        return Features(state.scalars, torch.stack([state.displacement, state.velocity], dim=1))


def has_default_attention(layer: SakeLayer) -> bool:
    """Semantic attention with SiLU and the smooth normalisation."""
    attention = layer.attention
    return (
        isinstance(attention, SemanticAttention)
        and isinstance(attention.activation, nn.SiLU)
        and isinstance(attention.normalisation, SmoothNormalisation)
    )


def joined_projections(layer: SakeLayer) -> nn.Linear:
    """One linear map to the parts of centres and others."""
    first, filters = layer.embedding.from_atoms, layer.embedding.filter
    weight = torch.cat([first.centre.weight, filters.centre.weight, first.other.weight, filters.other.weight])
    bias = torch.cat([first.centre.bias, filters.centre.bias])
    joined = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    joined.weight = nn.Parameter(weight.detach(), requires_grad=False)
    joined.bias = nn.Parameter(torch.cat([bias, torch.zeros_like(bias)]).detach(), requires_grad=False)
    return joined
