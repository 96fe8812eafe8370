"""Invariant-feature attention against a dense transcription of the paper; its two groups; its literal parts."""

import itertools
import math

import numpy as np
import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.representations.invariant_attention import (
    NETWORKS,
    Saturation,
    ScalarProducts,
    ScalarsAndDeterminants,
    from_heads,
    to_heads,
)
from sakeff.types import Features
from tests.contract.architectures import INVARIANT_ATTENTION
from tests.contract.checks import Scan, assert_close, assert_smooth_scan, assert_smooth_slope, uniform
from tests.contract.test_literal_variants import assert_only_default_passes, build, exits_gently
from tests.contract.test_smoothness import X, chain
from tests.contract.test_symmetry import MIRROR
from tests.helpers import (
    edges_for,
    ethanol,
    features_of,
    interaction_energy,
    lists_for,
    make_potential,
    random_numbers,
    rotation,
    structure,
    tensor,
    transformed,
)
from tests.representations.dense_invariant_attention import DenseInvariantAttention

GROUPS = ["E(3)", "SE(3)"]
LITERAL = {"envelope": "cosine", "normalisation": "literal", "network": "literal", "saturation": math.inf}
CUTOFF = 5.0


def representation_of(potential, system, vectors):
    """Features of a structure whose atoms start with ``vectors`` (N, K, 3)."""
    initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch)
    with torch.no_grad():
        return potential.representation(Features(initial.scalars, vectors), edges_for(potential, system))


# ---------------------------------------------------------------- the paper


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("cutoff", [2.2, 6.0])
def test_equals_the_paper(group, cutoff):
    """Scalars and vectors of every atom with two initial vectors, in the literal configuration."""
    size = {"width": 8, "vectors": 4, "layers": 3, "heads": 2, "basis_size": 7, "cutoff": cutoff}
    potential = make_potential({"name": "invariant-attention", "group": group, **size, **LITERAL})
    system, given = ethanol(), 0.3 * random_numbers(2, 9, 2, 3)
    features = representation_of(potential, system, given)
    weights = {name: value.detach().numpy() for name, value in potential.representation.state_dict().items()}
    dense = DenseInvariantAttention(weights, group, 3, 2, cutoff, 7)
    scalars = potential.embedding(system.numbers, system.charge, system.spin, system.batch).scalars.detach().numpy()
    vectors = np.concatenate([given.numpy(), np.zeros((9, 2, 3))], axis=1)
    s, h = dense(scalars, vectors, system.positions.numpy())
    np.testing.assert_allclose(features.scalars, s, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(features.vectors, h, rtol=1e-9, atol=1e-11)
    assert np.abs(h).min(axis=(0, 2)).min() > 1e-6


def test_the_groups_differ_by_cross_products_and_determinants():
    """Without their weights the SE(3) variant is the E(3) variant."""
    large = make_potential({**INVARIANT_ATTENTION, "group": "SE(3)"})
    small = make_potential(INVARIANT_ATTENTION)
    weights = large.state_dict()
    for name, value in small.state_dict().items():
        weights[name] = _embedded(name, value, weights[name])
    large.load_state_dict(weights)
    expected, found = features_of(small, ethanol()), features_of(large, ethanol())
    assert torch.allclose(found.scalars, expected.scalars, atol=1e-13)
    assert torch.allclose(found.vectors, expected.vectors, atol=1e-13)


def _embedded(name, small, large):
    """A parameter of the E(3) variant among zeros for what only the SE(3) variant has."""
    if small.shape == large.shape:
        return small
    out = torch.zeros_like(large)
    n_vectors = 4 if ".query." in name else 5
    if name.endswith("network.0.weight"):  # products, then determinants, then scalars
        products = n_vectors * (n_vectors + 1) // 2
        scalars = small.shape[1] - products
        out[:, :products], out[:, -scalars:] = small[:, :products], small[:, products:]
        return out
    width = INVARIANT_ATTENTION["width"]  # scalars, then one row of coefficients for each new vector
    out[:width] = small[:width]
    rows = out[width:].reshape(4, -1, *small.shape[1:])
    rows[:, :n_vectors] = small[width:].reshape(4, n_vectors, *small.shape[1:])
    return out


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_generators(n):
    v = random_numbers(0, 6, n, 3)
    polar, all_of_them = ScalarProducts(n)(v), ScalarsAndDeterminants(n)(v)
    products = [(v[:, a] * v[:, b]).sum(-1) for a, b in itertools.combinations_with_replacement(range(n), 2)]
    triples = list(itertools.combinations(range(n), 3))
    determinants = [torch.linalg.det(v[:, triple]) for triple in map(list, triples)]
    crosses = [torch.linalg.cross(v[:, a], v[:, b]) for a, b in itertools.combinations(range(n), 2)]
    assert torch.equal(polar.vectors, v)
    assert torch.allclose(polar.invariants, torch.stack(products, dim=1), atol=1e-14)
    assert torch.allclose(all_of_them.invariants, torch.stack(products + determinants, dim=1), atol=1e-13)
    assert torch.allclose(all_of_them.vectors, torch.cat([v, *[c.unsqueeze(1) for c in crosses]], dim=1), atol=1e-14)
    for module, made in ((ScalarProducts(n), polar), (ScalarsAndDeterminants(n), all_of_them)):
        assert (module.n_vectors, module.n_invariants) == (made.vectors.shape[1], made.invariants.shape[1])


def test_heads_share_vectors_and_scalars_equally():
    features = Features(random_numbers(0, 5, 6), random_numbers(1, 5, 4, 3))
    heads = to_heads(features, 2)
    assert heads.shape == (5, 2, 3 * 2 + 3)
    assert torch.equal(heads[:, 1, :6], features.vectors[:, 2:].flatten(1))
    assert torch.equal(heads[:, 1, 6:], features.scalars[:, 3:])
    back = from_heads(heads, 4)
    assert torch.equal(back.scalars, features.scalars)
    assert torch.equal(back.vectors, features.vectors)


# ---------------------------------------------------------------- mirror images and equivariance

BONDS = {1: 1.09, 9: 1.36, 17: 1.76, 35: 1.94}  # A, from carbon


def halomethane(*numbers):
    """A carbon and four neighbours along the corners of a tetrahedron."""
    corners = tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / math.sqrt(3)
    lengths = tensor([[BONDS[z]] for z in numbers])
    return structure([6, *numbers], torch.cat([torch.zeros_like(corners[:1]), lengths * corners]))


def energy_between_mirror_images(group, system):
    potential = make_potential({**INVARIANT_ATTENTION, "group": group}, elements=[6, *BONDS])
    energy = interaction_energy(potential, system)
    assert_close(interaction_energy(potential, transformed(system, rotation())), energy, 1e-12)
    return float((interaction_energy(potential, transformed(system, MIRROR)) - energy).abs())


def test_only_se3_tells_enantiomers_apart():
    """CHFClBr and its mirror image."""
    assert energy_between_mirror_images("E(3)", halomethane(1, 9, 17, 35)) < 1e-13
    assert energy_between_mirror_images("SE(3)", halomethane(1, 9, 17, 35)) > 1e-4


def test_a_molecule_that_is_its_own_mirror_image_has_one_energy():
    """CH2FCl."""
    assert energy_between_mirror_images("SE(3)", halomethane(1, 1, 9, 17)) < 1e-13


@pytest.mark.parametrize("group", GROUPS)
def test_vectors_turn_with_the_structure_and_its_initial_vectors(group):
    potential = make_potential({**INVARIANT_ATTENTION, "group": group})
    velocity, matrix = random_numbers(2, 9, 1, 3), rotation()
    before = representation_of(potential, ethanol(), velocity)
    after = representation_of(potential, transformed(ethanol(), matrix), velocity @ matrix.T)
    assert before.vectors.shape == (9, 4, 3)
    assert torch.allclose(after.scalars, before.scalars, atol=1e-12)
    assert torch.allclose(after.vectors, before.vectors @ matrix.T, atol=1e-12)
    assert before.vectors.norm(dim=-1).min() > 1e-3
    image = representation_of(potential, transformed(ethanol(), MIRROR), velocity @ MIRROR)
    reflected = torch.allclose(image.vectors, before.vectors @ MIRROR, atol=1e-12)
    assert reflected == (group == "E(3)")


def test_initial_velocity_is_taken_from_the_features():
    potential, velocity = make_potential({**INVARIANT_ATTENTION, "layers": 1}), random_numbers(2, 9, 1, 3)
    still = representation_of(potential, ethanol(), torch.zeros(9, 0, 3, dtype=torch.float64))
    rest = representation_of(potential, ethanol(), 0.0 * velocity)
    thrown = representation_of(potential, ethanol(), velocity)
    assert torch.equal(rest.vectors, still.vectors)
    gained = thrown.vectors - still.vectors
    assert (gained[:, 0] - velocity[:, 0]).norm(dim=1).max() < 0.5 * velocity.norm(dim=-1).max()
    assert (gained[:, 1:].norm(dim=-1) > 1e-6).all()
    assert (thrown.scalars - still.scalars).abs().max() > 1e-3


# ---------------------------------------------------------------- literal parts


@pytest.mark.parametrize("group", GROUPS)
def test_softmax_jumps_with_the_last_neighbour(group):
    default = {**INVARIANT_ATTENTION, "group": group}
    printed = build(default, normalisation="literal")
    assert_only_default_passes(exits_gently, build(default), printed, "slope jumps")


def test_cosine_envelope_has_a_jump_of_curvature():
    def check(potential):
        assert_smooth_scan(Scan(potential, chain(CUTOFF), 3, X), -0.5, 0.3)

    printed = build(INVARIANT_ATTENTION, envelope="cosine")
    assert_only_default_passes(check, build(INVARIANT_ATTENTION), printed, "slope jumps")


@pytest.mark.parametrize("group", GROUPS)
def test_relu_makes_forces_jump(group):
    def check(potential):
        assert_smooth_scan(Scan(potential, ethanol(), 3, X), -0.4, 0.4)

    default = {**INVARIANT_ATTENTION, "group": group}
    assert_only_default_passes(check, build(default), build(default, network="literal"), "slope jumps")


def test_layer_norm_of_vanishing_variance_is_a_cliff():
    """Along a line of hidden units through zero: the slope of the printed norm rises to 1 / sqrt(1e-5)."""
    direction = random_numbers(0, 16)
    direction = (direction - direction.mean()) / direction.std(correction=0)

    def check(name):
        norm = NETWORKS[name](4, 16, 1).double()[1]
        x = uniform(-0.5, 0.5, 401)
        slope = norm(x.unsqueeze(1) * direction).diff(dim=0) / x.diff().unsqueeze(1)
        assert slope.norm(dim=1).max() < 11.0 * 16**0.5, "the slope is steep"

    assert_only_default_passes(check, "smooth", "literal", "steep")


def test_deep_networks_overflow_without_saturation():
    """Products of products grow from layer to layer."""

    def check(saturation):
        deep = {**INVARIANT_ATTENTION, "width": 64, "heads": 4, "layers": 12, "saturation": saturation}
        features = features_of(make_potential({**deep, "group": "SE(3)"}), ethanol())
        assert features.vectors.isfinite().all(), "vectors overflow"
        assert features.vectors.abs().max() < 10.0

    assert_only_default_passes(check, 1.0, math.inf, "vectors overflow")


def test_saturation():
    v = torch.cat([random_numbers(0, 5, 2, 3), 1e3 * random_numbers(1, 5, 2, 3)])
    short = Saturation(0.7)(v)
    assert short.norm(dim=-1).max() < 0.7
    assert torch.allclose(torch.nn.functional.normalize(short, dim=-1), torch.nn.functional.normalize(v, dim=-1))
    assert torch.equal(Saturation(math.inf)(v), v)
    assert_smooth_slope(lambda s: Saturation(0.7)(s.reshape(-1, 1, 1) * v[:1, :1])[:, 0], -1.0, 1.0)


@pytest.mark.parametrize("group", GROUPS)
def test_literal_configuration_is_scripted(group):
    potential, system = make_potential({**INVARIANT_ATTENTION, **LITERAL, "layers": 2, "group": group}), ethanol()
    lists = lists_for(potential, system)
    eager, scripted = potential(system, lists), torch.jit.script(potential)(system, lists)
    assert_close(scripted.forces, eager.forces, 1e-12)
    assert eager.forces.abs().max() > 1e-3


# ---------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "O(3)"}, "Unknown group 'O\\(3\\)'"),
        ({"network": "relu"}, "Unknown network 'relu'"),
        ({"normalisation": "softmax"}, "Unknown normalisation 'softmax'"),
        ({"envelope": "none"}, "Unknown envelope 'none'"),
        ({"vectors": 3}, "16 scalars and 3 vectors cannot be shared equally by 2 heads"),
        ({"vectors": 0}, "cannot be shared equally"),
        ({"width": 15}, "15 scalars and 4 vectors cannot be shared"),
        ({"saturation": 0.0}, "The saturation is 0.0"),
        ({"depth": 3}, "does not fit"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(ConfigError, match=message):
        make_potential({**INVARIANT_ATTENTION, **change})


def test_more_initial_vectors_than_channels_are_refused():
    with pytest.raises(ConfigError, match="raise 'vectors'"):
        representation_of(make_potential(INVARIANT_ATTENTION), ethanol(), random_numbers(2, 9, 5, 3))
