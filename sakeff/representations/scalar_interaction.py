"""SINet and SiFormer (E(3) equivariant scalar interaction network): inner products steer fragments of any degree.

Equation -> code
  2         steerable features             Steerable: F scalars and C fragments of each degree 1..L
  6-8, D3   basis replaced by fragments    ScalarInteraction, last step
  3.3       scalar interaction, figure 2   ScalarInteraction: inner products -> MLP -> coefficients
  5         tensor-product embedding       HarmonicEmbedding, VelocityEmbedding
  5         SINet: message passing         MessageInteraction, EnvelopeWeights, UpdateInteraction, InteractionLayer
  5         SiFormer: attention            the same with AttentionWeights
  (D3 is definition 3, REBIF; the completeness r(l) of 5.2 is in scripts/completeness.py)

Deviations of the default; the literal variant of a part is one configuration away: a C2 envelope of the distance weighs
each message (5; the paper has no cutoff), attention is normalised by ``1 + sum`` (SiFormer), and fragments enter
an interaction as ``x / sqrt(1 + <x, x>)``, so that deep layers stay bounded (3.3; ``saturation = "none"``).
Choices where the paper is silent, since its appendices B and D are not at hand: learned combinations of channels are
made before each interaction, which then pairs channel c with channel c (all n_c^2 products of a degree would cost more
than the operation saves); each output fragment combines its own two input fragments; messages start from both atoms of
an edge, with one channel of harmonics as the second feature (5.1); sums are divided by the square root of the mean
number of neighbours; scores of SiFormer come from the scalars of the message; updates are residual; an initial
velocity enters with degree 1 alone; a LayerNorm gives initial scalars components of size one (those of a potential do
not depend on the geometry, so that it has no cliffs).
Positions relative to the centre of mass (5.4) are left out: a representation sees edges.
Spherical harmonics are normalised to ``sum_m Y_lm^2 = 1``.

The paper states O(L^2) in its abstract and O(L^3) in 3.3. This operation needs a number of multiplications that is
quadratic in L for a fixed number of channels, and scripts/sinet_scaling.py measures it against a tensor product.
"""

import math
from typing import List, NamedTuple

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError
from sakeff.nn.attention import NORMALISATIONS, enveloped_exp
from sakeff.nn.choose import choose
from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.mlp import PairLinear, PartLinear
from sakeff.nn.radial import GaussianBasis
from sakeff.nn.spherical import SphericalHarmonics
from sakeff.ops import segment_sum
from sakeff.types import Edges, Features

# The squares of the Gaussians of a distance sum to sqrt(pi), whatever their number: it takes the place of a fan-in.
SQUARED_BASIS = 2


class Steerable(NamedTuple):
    """Eq. 2 for R rows (atoms or edges): fragments hold the orders of all degrees side by side, M = (L + 1)^2 - 1."""

    scalars: Tensor  # (R, F)
    fragments: Tensor  # (R, M, C)


class EdgeGeometry(NamedTuple):
    """What all layers share about the edges."""

    centre: Tensor  # (E,)
    other: Tensor  # (E,)
    envelope: Tensor  # (E,), zero beyond the cutoff
    basis: Tensor  # (E, K)
    harmonics: Tensor  # (E, M, 1): the steerable feature of an edge, one channel


def order_columns(l_max: int) -> Tensor:
    """The row of its degree (0 for l = 1) for every order, (M,)."""
    return torch.tensor([l - 1 for l in range(1, l_max + 1) for _ in range(2 * l + 1)])


# ---------------------------------------------------------------- the operation


class InnerProducts(nn.Module):
    """``<x_c^l, y_c^l>`` of fragments of equal degree: (L + 1)^2 - 1 multiplications for each channel."""

    def __init__(self, l_max: int) -> None:
        super().__init__()
        self.sizes = [2 * l + 1 for l in range(1, l_max + 1)]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(R, M, C) and (R, M, C or 1) to (R, L, C)."""
        return torch.stack([part.sum(1) for part in torch.split(x * y, self.sizes, 1)], dim=1)


class Saturation(nn.Module):
    """Default: ``x / sqrt(1 + <x, x>)`` for every fragment, shorter than 1 and smooth everywhere."""

    columns: Tensor

    def __init__(self, l_max: int) -> None:
        super().__init__()
        self.inner = InnerProducts(l_max)
        self.register_buffer("columns", order_columns(l_max), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(R, M, C) to (R, M, C)."""
        return x * torch.rsqrt(1.0 + self.inner(x, x)).index_select(1, self.columns)


class NoSaturation(nn.Module):
    """Literal: fragments as they are. A combination is cubic in them, so that deep layers explode."""

    def __init__(self, l_max: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        """(R, M, C) to itself."""
        return x


SATURATIONS = {"smooth": Saturation, "none": NoSaturation}


class FragmentLinear(nn.Module):
    """``sum_c W^l_dc x_c^l``: the linear maps that commute with rotations, one matrix for each degree."""

    columns: Tensor

    def __init__(self, l_max: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(l_max, n_in, n_out) / math.sqrt(n_in))
        self.register_buffer("columns", order_columns(l_max), persistent=False)

    def forward(self, fragments: Tensor) -> Tensor:
        """(R, M, C) to (R, M, D)."""
        weight = self.weight.index_select(0, self.columns)
        return torch.bmm(fragments.transpose(0, 1), weight).transpose(0, 1)


class ScalarInteraction(nn.Module):
    """Section 3.3 and figure 2: ``a_c^l x_c^l + b_c^l y_c^l`` with a, b and new scalars from an MLP.

    Its inputs are ``<x, y>, <x, x>, <y, y>`` of every degree and channel; ``context`` is what other scalars add to its
    first hidden layer. The second feature has C channels or one (``second``).
    """

    columns: Tensor

    def __init__(self, l_max: int, width: int, channels: int, second: int, saturation: str) -> None:
        super().__init__()
        self.width = width
        self.shape = [2 * l_max, channels]
        self.saturation = choose(SATURATIONS, "saturation", saturation)(l_max)
        self.inner = InnerProducts(l_max)
        self.from_products = nn.Linear(l_max * (2 * channels + second), width, bias=False)
        self.output = nn.Sequential(
            nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width + 2 * l_max * channels)
        )
        self.register_buffer("columns", order_columns(l_max), persistent=False)

    def forward(self, x: Tensor, y: Tensor, context: Tensor) -> Steerable:
        """(R, M, C), (R, M, C or 1) and (R, F) to scalars (R, F) and fragments (R, M, C)."""
        x, y = self.saturation(x), self.saturation(y)
        products = torch.cat([self.inner(u, v).flatten(1) for u, v in [(x, y), (x, x), (y, y)]], dim=1)
        output = self.output(context + self.from_products(products))
        coefficients = output[:, self.width :].reshape([-1] + self.shape)
        a, b = coefficients.chunk(2, 1)
        fragments = a.index_select(1, self.columns) * x + b.index_select(1, self.columns) * y
        return Steerable(output[:, : self.width], fragments)


# ---------------------------------------------------------------- messages and updates


class MessageInteraction(nn.Module):
    """Section 5: the message of an edge, an interaction of its two atoms with its spherical harmonics."""

    def __init__(self, l_max: int, width: int, channels: int, basis_size: int, saturation: str) -> None:
        super().__init__()
        self.interaction = ScalarInteraction(l_max, width, channels, 1, saturation)
        self.centre = FragmentLinear(l_max, channels, channels)
        self.other = FragmentLinear(l_max, channels, channels)
        self.from_atoms = PairLinear(width, width)
        self.from_basis = PartLinear(basis_size, width, SQUARED_BASIS)

    def forward(self, atoms: Steerable, geometry: EdgeGeometry) -> Steerable:
        """N atoms to E messages."""
        centre = self.centre(atoms.fragments).index_select(0, geometry.centre)
        fragments = centre + self.other(atoms.fragments).index_select(0, geometry.other)
        context = self.from_atoms(atoms.scalars, geometry.centre, geometry.other) + self.from_basis(geometry.basis)
        return self.interaction(fragments, geometry.harmonics, context)


class UpdateInteraction(nn.Module):
    """The change of an atom: an interaction of its features with the sum of its messages."""

    def __init__(self, l_max: int, width: int, channels: int, saturation: str) -> None:
        super().__init__()
        self.interaction = ScalarInteraction(l_max, width, channels, channels, saturation)
        self.own = FragmentLinear(l_max, channels, channels)
        self.received = FragmentLinear(l_max, channels, channels)
        self.from_own = nn.Linear(width, width)
        self.from_received = nn.Linear(width, width, bias=False)

    def forward(self, atoms: Steerable, received: Steerable) -> Steerable:
        """Features of atoms and summed messages to increments."""
        context = self.from_own(atoms.scalars) + self.from_received(received.scalars)
        return self.interaction(self.own(atoms.fragments), self.received(received.fragments), context)


class EnvelopeWeights(nn.Module):
    """SINet: messages are summed under the envelope, over the square root of the mean number of neighbours."""

    def __init__(self, mean_neighbours: float) -> None:
        super().__init__()
        self.scale = float(mean_neighbours) ** -0.5

    def forward(self, scalars: Tensor, geometry: EdgeGeometry, n_atoms: int) -> Tensor:
        """Scalars (E, F) of messages to weights (E, 1)."""
        return (self.scale * geometry.envelope).unsqueeze(-1)


class AttentionWeights(nn.Module):
    """SiFormer, H heads: ``phi e^s`` over the neighbours of an atom, scores s from the scalars of the message."""

    def __init__(self, width: int, heads: int, normalisation: str) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.SiLU(), nn.Linear(width, heads, bias=False))
        self.normalisation = choose(NORMALISATIONS, "normalisation", normalisation)()

    def forward(self, scalars: Tensor, geometry: EdgeGeometry, n_atoms: int) -> Tensor:
        """Scalars (E, F) of messages to weights (E, H)."""
        weight = enveloped_exp(self.score(scalars), geometry.envelope)
        return self.normalisation(weight, geometry.centre, n_atoms)


def weighted_sum(messages: Steerable, weight: Tensor, centre: Tensor, n_atoms: int) -> Steerable:
    """Weights (E, H) on the H equal shares of the channels, summed for each atom."""
    n_edges, heads = weight.shape[0], weight.shape[1]
    n_orders, channels = messages.fragments.shape[1], messages.fragments.shape[2]
    weight = weight.unsqueeze(-1)
    scalars = messages.scalars.reshape(n_edges, heads, messages.scalars.shape[1] // heads) * weight
    fragments = messages.fragments.reshape(n_edges, n_orders, heads, channels // heads) * weight.unsqueeze(1)
    return Steerable(
        segment_sum(scalars, centre, n_atoms).flatten(1), segment_sum(fragments, centre, n_atoms).flatten(2)
    )


class InteractionLayer(nn.Module):
    """Messages, their weighted sum and the update; SINet and SiFormer differ in the weights alone."""

    def __init__(self, message: MessageInteraction, weights: nn.Module, update: UpdateInteraction) -> None:
        super().__init__()
        self.message, self.weights, self.update = message, weights, update

    def forward(self, atoms: Steerable, geometry: EdgeGeometry) -> Steerable:
        """The features of all atoms to their next values."""
        n_atoms = atoms.scalars.shape[0]
        messages = self.message(atoms, geometry)
        weight = self.weights(messages.scalars, geometry, n_atoms)
        change = self.update(atoms, weighted_sum(messages, weight, geometry.centre, n_atoms))
        return Steerable(atoms.scalars + change.scalars, atoms.fragments + change.fragments)


# ---------------------------------------------------------------- embedding


class HarmonicEmbedding(nn.Module):
    """The tensor product of section 5: ``sum_j phi_ij w_c^l(s_i, s_j, d_ij) Y^l(r_ij)``, scalars times harmonics."""

    columns: Tensor

    def __init__(self, l_max: int, width: int, channels: int, basis_size: int, mean_neighbours: float) -> None:
        super().__init__()
        self.shape = [l_max, channels]
        self.weights = EnvelopeWeights(mean_neighbours)
        self.from_atoms = PairLinear(width, width)
        self.from_basis = PartLinear(basis_size, width, SQUARED_BASIS)
        self.output = nn.Sequential(nn.SiLU(), nn.Linear(width, l_max * channels))
        self.register_buffer("columns", order_columns(l_max), persistent=False)

    def forward(self, scalars: Tensor, geometry: EdgeGeometry) -> Tensor:
        """(N, F) to fragments (N, M, C)."""
        n_atoms = scalars.shape[0]
        hidden = self.from_atoms(scalars, geometry.centre, geometry.other) + self.from_basis(geometry.basis)
        weight = self.output(hidden) * self.weights(scalars, geometry, n_atoms)
        weight = weight.reshape([-1] + self.shape).index_select(1, self.columns)
        return segment_sum(weight * geometry.harmonics, geometry.centre, n_atoms)


class VelocityEmbedding(nn.Module):
    """The same product for the first initial vector v (5.4): ``w_c(s_i) v_i`` with degree 1, nothing without one."""

    order: Tensor

    def __init__(self, l_max: int, width: int, channels: int) -> None:
        super().__init__()
        self.output = nn.Linear(width, channels)
        self.n_other = (l_max + 1) ** 2 - 4
        # Orders m = -1, 0, 1 of degree 1 are y, z, x.
        self.register_buffer("order", torch.tensor([1, 2, 0]), persistent=False)

    def forward(self, scalars: Tensor, vectors: Tensor) -> Tensor:
        """(N, F) and (N, K, 3) to fragments (N, M, C)."""
        vector = vectors[:, :1].sum(1).index_select(1, self.order)
        first = vector.unsqueeze(-1) * self.output(scalars).unsqueeze(1)
        return torch.cat([first, first.new_zeros([first.shape[0], self.n_other, first.shape[2]])], dim=1)


# ---------------------------------------------------------------- the networks


class ScalarInteractionNetwork(nn.Module):
    """The representation: features and edges to scalars (N, F) and the C fragments of degree 1 as vectors (N, C, 3).

    An initial velocity is taken from the first vector of the initial features if there is one (dynamics tasks).
    """

    vector_orders: Tensor

    def __init__(
        self,
        l_max: int,
        width: int,
        channels: int,
        cutoff: float,
        basis_size: int,
        envelope: nn.Module,
        saturation: str,
        mean_neighbours: float,
        weights: List[nn.Module],
    ) -> None:
        """One layer for each of ``weights``."""
        super().__init__()
        if l_max < 1 or channels < 1:
            raise ConfigError(f"l_max is {l_max} and channels is {channels}; both must be 1 or more.")
        self.width = width
        self.cutoff = float(cutoff)
        self.symmetry = "O(3)"
        self.is_local = True
        self.envelope = envelope
        self.basis = GaussianBasis(basis_size, cutoff)
        self.harmonics = SphericalHarmonics(list(range(1, l_max + 1)))
        self.normalisation = nn.LayerNorm(width)
        self.embedding = HarmonicEmbedding(l_max, width, channels, basis_size, mean_neighbours)
        self.velocity = VelocityEmbedding(l_max, width, channels)
        self.register_buffer("vector_orders", torch.tensor([2, 0, 1]), persistent=False)
        self.layers = nn.ModuleList(
            [
                InteractionLayer(
                    MessageInteraction(l_max, width, channels, basis_size, saturation),
                    one,
                    UpdateInteraction(l_max, width, channels, saturation),
                )
                for one in weights
            ]
        )

    def requests(self) -> List[float]:
        """One list, up to the cutoff."""
        return [self.cutoff]

    def forward(self, features: Features, edges: List[Edges]) -> Features:
        """Scalars (N, F), at most one vector in use, and one ``Edges`` to the features after all layers."""
        geometry = self.edge_geometry(edges[0])
        scalars = self.normalisation(features.scalars)
        fragments = self.embedding(scalars, geometry) + self.velocity(scalars, features.vectors)
        atoms = Steerable(scalars, fragments)
        for layer in self.layers:
            atoms = layer(atoms, geometry)
        return Features(atoms.scalars, atoms.fragments.index_select(1, self.vector_orders).transpose(1, 2))

    def edge_geometry(self, edges: Edges) -> EdgeGeometry:
        """Everything about edges that does not change from layer to layer."""
        distance = torch.linalg.vector_norm(edges.vector, dim=-1)
        harmonics = self.harmonics(edges.vector / distance.unsqueeze(-1)).unsqueeze(-1)
        return EdgeGeometry(edges.centre, edges.other, self.envelope(distance), self.basis(distance), harmonics)


def sinet(
    l_max: int = 2,
    width: int = 64,
    channels: int = 32,
    layers: int = 3,
    cutoff: float = 5.0,
    basis_size: int = 20,
    envelope: str = "polynomial",
    envelope_exponent: int = 5,
    saturation: str = "smooth",
    mean_neighbours: float = 12.0,
) -> ScalarInteractionNetwork:
    """Message passing: the sum of messages under the envelope."""
    weights: List[nn.Module] = [EnvelopeWeights(mean_neighbours) for _ in range(layers)]
    phi = make_envelope(envelope, cutoff, envelope_exponent)
    return ScalarInteractionNetwork(
        l_max, width, channels, cutoff, basis_size, phi, saturation, mean_neighbours, weights
    )


def siformer(
    l_max: int = 2,
    width: int = 64,
    channels: int = 32,
    layers: int = 3,
    heads: int = 4,
    cutoff: float = 5.0,
    basis_size: int = 20,
    envelope: str = "polynomial",
    envelope_exponent: int = 5,
    saturation: str = "smooth",
    normalisation: str = "smooth",
    mean_neighbours: float = 12.0,
) -> ScalarInteractionNetwork:
    """A transformer: messages weighted by attention, H heads with equal shares of scalars and channels."""
    if width % heads != 0 or channels % heads != 0:
        raise ConfigError(f"{width} scalars and {channels} channels cannot be shared equally by {heads} heads.")
    weights: List[nn.Module] = [AttentionWeights(width, heads, normalisation) for _ in range(layers)]
    phi = make_envelope(envelope, cutoff, envelope_exponent)
    return ScalarInteractionNetwork(
        l_max, width, channels, cutoff, basis_size, phi, saturation, mean_neighbours, weights
    )
