"""SINet and SiFormer against a dense transcription; the operation, its span and its symmetry; their literal parts."""

import numpy as np
import pytest
import torch
from numpy.polynomial import legendre

from sakeff.errors import ConfigError
from sakeff.nn.spherical import SphericalHarmonics
from sakeff.representations.scalar_interaction import (
    FragmentLinear,
    InnerProducts,
    Saturation,
    ScalarInteraction,
    Steerable,
    weighted_sum,
)
from sakeff.types import Features
from tests.contract.architectures import SIFORMER, SINET
from tests.contract.checks import Scan, assert_smooth_scan
from tests.contract.test_literal_variants import assert_only_default_passes, build, exits_gently
from tests.contract.test_smoothness import X, chain
from tests.helpers import (
    edges_for,
    ethanol,
    features_of,
    make_potential,
    random_numbers,
    rotation,
    structure,
    tensor,
    transformed,
)
from tests.representations.dense_scalar_interaction import DenseScalarInteraction
from tests.representations.test_sake import as_arrays

BOTH = pytest.mark.parametrize("config", [SINET, SIFORMER], ids=["sinet", "siformer"])
PROPER_AND_MIRROR = pytest.mark.parametrize("matrix", [rotation(), -rotation(4)], ids=["rotation", "reflection"])
L_MAX = 4
ORDERS = (L_MAX + 1) ** 2 - 1
CUTOFF = 5.0


def initial_scalars(potential, system):
    with torch.no_grad():
        return potential.embedding(system.numbers, system.charge, system.spin, system.batch).scalars


def thrown(potential, system, velocities):
    """Features of a structure whose atoms have initial velocities (N, 3)."""
    initial = Features(initial_scalars(potential, system), velocities.unsqueeze(1))
    with torch.no_grad():
        return potential.representation(initial, edges_for(potential, system))


# ---------------------------------------------------------------- the paper


@BOTH
@pytest.mark.parametrize("cutoff", [2.2, 6.0])
@pytest.mark.parametrize(("saturation", "layers"), [("none", 1), ("smooth", 2)])
@pytest.mark.parametrize("l_max", [1, 3])
def test_equals_the_paper(config, l_max, saturation, layers, cutoff):
    """Scalars and vectors of every atom with an initial velocity, in the literal configuration; deeper if saturated."""
    size = {"l_max": l_max, "width": 8, "channels": 4, "layers": layers, "basis_size": 7, "cutoff": cutoff}
    literal = {"envelope": "cosine", "saturation": saturation, "mean_neighbours": 5.0}
    attention = {"heads": 2, "normalisation": "literal"} if config["name"] == "siformer" else {}
    potential = make_potential({"name": config["name"], **size, **literal, **attention})
    system, velocities = ethanol(), random_numbers(2, 9, 3)
    features = thrown(potential, system, velocities)
    weights = as_arrays(potential.representation)
    heads, saturated = attention.get("heads"), saturation == "smooth"
    dense = DenseScalarInteraction(weights, layers, l_max, 4, cutoff, 7, 5.0, heads, saturated)
    atoms = dense(initial_scalars(potential, system).numpy(), velocities.numpy(), system.positions.numpy())
    vectors = np.stack([fragments[1][:, [2, 0, 1]] for _, fragments in atoms])
    np.testing.assert_allclose(features.scalars, np.stack([s for s, _ in atoms]), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(features.vectors, vectors, rtol=1e-9, atol=1e-11)
    assert np.abs(vectors).max(axis=(1, 2)).min() > 1e-3


# ---------------------------------------------------------------- symmetry


@BOTH
@PROPER_AND_MIRROR
def test_vectors_are_equivariant(config, matrix):
    potential = make_potential(config)
    before, after = features_of(potential, ethanol()), features_of(potential, transformed(ethanol(), matrix))
    assert before.vectors.shape == (9, config["channels"], 3)
    assert torch.allclose(after.scalars, before.scalars, atol=1e-11)
    assert torch.allclose(after.vectors, before.vectors @ matrix.T, atol=1e-11)
    assert before.vectors.norm(dim=-1).min() > 1e-3


@BOTH
@PROPER_AND_MIRROR
def test_initial_velocities_turn_with_the_system(config, matrix):
    potential, velocities = make_potential(config), random_numbers(2, 9, 3)
    before = thrown(potential, ethanol(), velocities)
    after = thrown(potential, transformed(ethanol(), matrix), velocities @ matrix.T)
    assert torch.allclose(after.scalars, before.scalars, atol=1e-11)
    assert torch.allclose(after.vectors, before.vectors @ matrix.T, atol=1e-11)
    still = features_of(potential, ethanol())
    assert (before.scalars - still.scalars).abs().amax(dim=1).min() > 1e-3


def test_initial_velocity_is_a_fragment_of_degree_1():
    """An atom alone, before any layer: each vector is the velocity times a function of the scalars."""
    potential, velocity = make_potential(SINET), random_numbers(2, 9, 3)
    potential.representation.layers = torch.nn.ModuleList()
    system = ethanol()
    change = thrown(potential, system, velocity).vectors - features_of(potential, system).vectors
    model = potential.representation
    scale = model.velocity.output(model.normalisation(initial_scalars(potential, system)))
    assert torch.allclose(change, scale.unsqueeze(2) * velocity.unsqueeze(1), atol=1e-12)


def turned(fragments, matrix, l_max=L_MAX):
    """Wigner matrices of ``matrix`` on the orders (R, M, C), from how harmonics of many directions turn."""
    unit = torch.nn.functional.normalize(random_numbers(7, 60, 3), dim=1)
    harmonics = SphericalHarmonics(list(range(1, l_max + 1)))
    wigner = torch.linalg.lstsq(harmonics(unit), harmonics(unit @ matrix.T)).solution.T
    return torch.einsum("ab,rbc->rac", wigner, fragments)


def interaction(channels, second, saturation="smooth"):
    torch.manual_seed(0)
    return ScalarInteraction(L_MAX, 6, channels, second, saturation).double()


@PROPER_AND_MIRROR
@pytest.mark.parametrize("saturation", ["smooth", "none"])
@pytest.mark.parametrize("second", [1, 5])
def test_the_operation_is_equivariant_in_every_degree(second, saturation, matrix):
    x, y, context = random_numbers(1, 3, ORDERS, 5), random_numbers(2, 3, ORDERS, second), random_numbers(3, 3, 6)
    operation = interaction(5, second, saturation)
    before, after = operation(x, y, context), operation(turned(x, matrix), turned(y, matrix), context)
    assert torch.allclose(after.scalars, before.scalars, atol=1e-11)
    assert torch.allclose(after.fragments, turned(before.fragments, matrix), atol=1e-11)


@PROPER_AND_MIRROR
def test_channels_mix_within_a_degree(matrix):
    torch.manual_seed(0)
    mixing, x = FragmentLinear(L_MAX, 5, 7).double(), random_numbers(1, 3, ORDERS, 5)
    assert mixing(x).shape == (3, ORDERS, 7)
    assert torch.allclose(mixing(turned(x, matrix)), turned(mixing(x), matrix), atol=1e-11)


# ---------------------------------------------------------------- the operation


def test_inner_products_of_harmonics_are_legendre_polynomials():
    unit = torch.nn.functional.normalize(random_numbers(1, 2, 20, 3), dim=2)
    harmonics = SphericalHarmonics(list(range(1, L_MAX + 1)))
    found = InnerProducts(L_MAX)(harmonics(unit[0]).unsqueeze(2), harmonics(unit[1]).unsqueeze(2))[:, :, 0]
    cosine = (unit[0] * unit[1]).sum(dim=1)
    expected = [legendre.legval(cosine, np.eye(L_MAX + 1)[l]) for l in range(1, L_MAX + 1)]
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-13)


def test_outputs_lie_in_the_span_of_the_inputs():
    """Definition 3: with one channel a fragment is a combination of two, for every degree."""
    x, y = random_numbers(1, 8, ORDERS, 1), random_numbers(2, 8, ORDERS, 1)
    out = interaction(1, 1)(x, y, random_numbers(3, 8, 6)).fragments.detach()
    for l in range(1, L_MAX + 1):
        orders = slice(l * l - 1, (l + 1) ** 2 - 1)
        inputs = torch.cat([x[:, orders], y[:, orders]], dim=2)
        rest = out[:, orders] - inputs @ torch.linalg.lstsq(inputs, out[:, orders]).solution
        assert rest.abs().max() < 1e-13
        assert out[:, orders].norm(dim=1).min() > 1e-3


def test_no_degree_is_made_of_others():
    """Section 5: the reason for the embedding. Degree 3 stays empty where no input has it."""
    x, y = random_numbers(1, 3, ORDERS, 5), random_numbers(2, 3, ORDERS, 5)
    x[:, 8:15], y[:, 8:15] = 0.0, 0.0
    out = interaction(5, 5)(x, y, random_numbers(3, 3, 6)).fragments
    assert (out[:, 8:15] == 0).all()
    assert (out[:, :8] != 0).all()


def test_each_degree_informs_all_others():
    """Coefficients of one degree see the inner products of another."""
    x, y, context = random_numbers(1, 3, ORDERS, 5), random_numbers(2, 3, ORDERS, 5), random_numbers(3, 3, 6)
    before = interaction(5, 5)(x, y, context).fragments
    x[:, 8:15] *= 2.0
    after = interaction(5, 5)(x, y, context).fragments
    assert ((after - before)[:, :8].abs() > 1e-8).all()


def test_saturation_keeps_directions_and_bounds_lengths():
    x, inner = random_numbers(1, 3, ORDERS, 5), InnerProducts(L_MAX)
    small, large = Saturation(L_MAX)(1e-5 * x), Saturation(L_MAX)(1e5 * x)
    assert torch.allclose(small, 1e-5 * x, rtol=1e-8, atol=0)
    assert torch.allclose(inner(large, large), torch.ones(3, L_MAX, 5, dtype=torch.float64), atol=1e-8)
    assert torch.allclose(inner(large, x), inner(x, x).sqrt(), rtol=1e-8, atol=0)


def test_saturation_is_smooth_at_zero():
    zero = torch.zeros(1, 8, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Saturation(2), zero)
    assert torch.autograd.gradgradcheck(Saturation(2), zero)


@BOTH
def test_deep_networks_stay_bounded(config):
    """Twelve layers of random weights; without saturation fragments explode."""
    deep = {**config, "layers": 12}
    bounded = features_of(make_potential(deep), ethanol())
    unbounded = features_of(make_potential({**deep, "saturation": "none"}), ethanol())
    assert bounded.vectors.abs().max() < 100.0
    assert not unbounded.vectors.abs().max() < 1e6


def test_each_head_weighs_its_share_of_the_channels():
    messages = Steerable(random_numbers(1, 5, 4), random_numbers(2, 5, 3, 6))
    weight, centre = random_numbers(3, 5, 2), torch.tensor([0, 0, 1, 1, 1])
    total = weighted_sum(messages, weight, centre, 3)
    for head in range(2):
        scalars, fragments = (
            messages.scalars[:, 2 * head : 2 * head + 2],
            messages.fragments[..., 3 * head : 3 * head + 3],
        )
        one = weighted_sum(Steerable(scalars, fragments), weight[:, head : head + 1], centre, 3)
        assert torch.equal(total.scalars[:, 2 * head : 2 * head + 2], one.scalars)
        assert torch.equal(total.fragments[..., 3 * head : 3 * head + 3], one.fragments)
    assert torch.allclose(total.scalars[0, :2], (weight[:2, :1] * messages.scalars[:2, :2]).sum(0), atol=1e-14)
    assert (total.scalars[2] == 0).all()


def test_sums_do_not_grow_with_the_mean_number_of_neighbours():
    """SINet divides by its square root; the embedding of both networks does, too."""
    one, four = (make_potential({**SINET, "layers": 1, "mean_neighbours": n}) for n in (1.0, 4.0))
    for potential in (one, four):
        potential.representation.layers = torch.nn.ModuleList()
    system = ethanol()
    assert torch.allclose(features_of(one, system).vectors, 2 * features_of(four, system).vectors, atol=1e-13)


# ---------------------------------------------------------------- higher degrees


def star(directions):
    """A carbon and four hydrogens at 1 A that see nothing but the carbon within 1.4 A."""
    unit = torch.nn.functional.normalize(tensor(directions), dim=1)
    return structure([6, 1, 1, 1, 1], torch.cat([torch.zeros(1, 3, dtype=torch.float64), unit]))


@BOTH
@pytest.mark.parametrize(("l_max", "sees"), [(1, False), (2, True)])
def test_higher_degrees_see_what_vectors_cannot(config, l_max, sees):
    """The vectors of a tetrahedron and of a square cancel both; of the square, degree 2 is left."""
    potential = make_potential({**config, "l_max": l_max, "cutoff": 1.4, "mean_neighbours": 1.0})
    tetrahedron = star([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    square = star([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    scalars = [features_of(potential, one).scalars for one in (tetrahedron, square)]
    difference = (scalars[0] - scalars[1]).abs().max()
    assert difference > 1e-4 if sees else difference < 1e-12


# ---------------------------------------------------------------- literal parts


@BOTH
def test_cosine_envelope_is_c1_only(config):
    def check(potential):
        assert_smooth_scan(Scan(potential, chain(CUTOFF), 3, X), -0.5, 0.3)

    assert_only_default_passes(check, build(config), build(config, envelope="cosine"), "slope jumps")


def test_literal_normalisation_jumps_with_the_last_neighbour():
    printed = build(SIFORMER, normalisation="literal")
    assert_only_default_passes(exits_gently, build(SIFORMER), printed, "slope jumps")


# ---------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"l_max": 0}, "l_max is 0"),
        ({"channels": 0}, "channels is 0"),
        ({"saturation": "hard"}, "Unknown saturation 'hard'"),
        ({"envelope": "none"}, "Unknown envelope 'none'"),
        ({"degrees": [1]}, "does not fit"),
    ],
)
@BOTH
def test_bad_configurations(config, change, message):
    with pytest.raises(ConfigError, match=message):
        make_potential({**config, **change})


@pytest.mark.parametrize("change", [{"heads": 3}, {"channels": 9}, {"width": 15}])
def test_channels_are_shared_equally_by_heads(change):
    with pytest.raises(ConfigError, match="cannot be shared equally"):
        make_potential({**SIFORMER, **change})


def test_unknown_normalisation():
    with pytest.raises(ConfigError, match="Unknown normalisation 'softmax'"):
        make_potential({**SIFORMER, "normalisation": "softmax"})


def test_heads_belong_to_attention():
    with pytest.raises(ConfigError, match="does not fit"):
        make_potential({**SINET, "heads": 2})
