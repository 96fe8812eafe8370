"""Pieces of the papers that cannot be configured, because they break more than smoothness; the tests show how."""

import torch
from torch import nn

from sakeff.ops import segment_sum


class ComponentwiseTanhUpdate(nn.Module):
    """SAKE 9.3 read literally: tanh on each component of the additive vector of eq. 12."""

    def __init__(self, update):
        super().__init__()
        self.scale, self.mixing = update.scale, update.mixing

    def forward(self, state, combinations):
        push = torch.tanh(self.mixing(combinations.transpose(1, 2)).squeeze(-1))
        velocity = 2.0 * torch.sigmoid(self.scale(state.scalars)) * state.velocity + push
        return [state.displacement + velocity, velocity]


class OldVelocityUpdate(nn.Module):
    """SAKE eq. 13 as printed: positions advance by the old velocity."""

    def __init__(self, update):
        super().__init__()
        self.update = update

    def forward(self, state, combinations):
        velocity = self.update(state, combinations)[1]
        return [state.displacement + state.velocity, velocity]


class MovedEnvelopeLayer(nn.Module):
    """A SAKE layer whose envelope is that of the moved distance, as the paper has it."""

    def __init__(self, layer, envelope):
        super().__init__()
        self.layer, self.envelope = layer, envelope

    def forward(self, state, edges, envelope):
        moved = edges.vector + state.displacement[edges.other] - state.displacement[edges.centre]
        return self.layer(state, edges, self.envelope(torch.linalg.vector_norm(moved, dim=-1)))


class SteepNormalisation(nn.Module):
    """SAKE eq. 10 with an epsilon: the jump of the last neighbour becomes a cliff."""

    def forward(self, weight, centre, n_atoms):
        return weight / (1e-8 + segment_sum(weight, centre, n_atoms))[centre]


class GuardedDirections(nn.Module):
    """Unit vectors as r / (r + 1e-5): they are not unit vectors."""

    def forward(self, vector):
        length = torch.linalg.vector_norm(vector, dim=-1)
        return [vector / (length + 1e-5).unsqueeze(-1), length]


def with_layers(potential, change):
    """The potential with each SAKE layer replaced by ``change(layer)``."""
    representation = potential.representation
    representation.layers = nn.ModuleList([change(layer) for layer in representation.layers])
    return potential


def with_updates(potential, update):
    """The potential with each SAKE update replaced by ``update(old)``."""
    for layer in potential.representation.layers:
        layer.update = update(layer.update)
    return potential


def with_normalisations(potential, normalisation):
    """The potential with each SAKE normalisation replaced."""
    for layer in potential.representation.layers:
        layer.attention.normalisation = normalisation
    return potential


def with_directions(potential, directions):
    """The potential with the unit vectors of the first SAKE layer replaced."""
    potential.representation.layers[0].directions = directions
    return potential
