"""The papers' formulas as printed fail the very checks that the default passes: every check here can fail.

One test for each row of the table of deviations. The literal piece and the default go through one check.
"""

import pytest
import torch

from sakeff.nn.cutoffs import make_envelope
from sakeff.nn.mlp import make_activation
from sakeff.representations.sphc_nonlocal import SphericalNeighbourhood
from tests.contract import literal
from tests.contract.architectures import SAKE, SO3KRATES, enlivened
from tests.contract.checks import (
    Scan,
    assert_close,
    assert_equivariant,
    assert_forces_obey,
    assert_gentle_exit,
    assert_smooth_scan,
    assert_smooth_slope,
    uniform,
)
from tests.contract.test_smoothness import X, chain, leaver
from tests.contract.test_symmetry import MIRROR, order_of_image
from tests.helpers import (
    carbon_dioxide,
    dimer,
    edges_for,
    ethanol,
    evaluate,
    features_of,
    make_potential,
    random_numbers,
    rotation,
)

CUTOFF = 5.0
NONLOCAL = {**SO3KRATES, "nonlocal_kappa": 1.0}


def build(representation, **changes):
    return enlivened(make_potential({**representation, **changes}))


def assert_only_default_passes(check, default, printed, reason):
    """``check`` passes for the default and fails for the literal piece, for the reason expected."""
    check(default)
    with pytest.raises(AssertionError, match=reason):
        check(printed)


def second_derivative_is_continuous(function, low, high):
    """The check of the scans, applied to the derivative of a function of one number."""

    def derivative(x):
        x = x.detach().requires_grad_()
        return torch.autograd.grad(function(x).sum(), x)[0].unsqueeze(1)

    assert_smooth_slope(derivative, low, high)


# ---------------------------------------------------------------- activation and envelope


@pytest.mark.parametrize("default", ["silu", "softplus"])
def test_celu_is_c1_only(default):
    def check(name):
        second_derivative_is_continuous(make_activation(name).double(), -1.0, 1.1)

    assert_only_default_passes(check, default, "celu", "slope jumps by .* at -?0.0000")


def test_celu_in_sake():
    """Wherever an attention score changes its sign along a scan."""

    def check(potential):
        scan = Scan(potential, ethanol(), 3, X)
        crossings = sign_changes_of_scores(scan, uniform(-0.4, 0.4, 161))
        assert len(crossings) > 0, "no score changes its sign"
        for low, high in crossings[:6]:
            assert_smooth_slope(scan.forces, low, high)

    assert_only_default_passes(check, selective("silu"), selective("celu"), "slope jumps")


def selective(activation):
    """A SAKE potential with attention scores ten times as large."""
    potential = make_potential({**SAKE, "attention_activation": activation})
    with torch.no_grad():
        for layer in potential.representation.layers:
            layer.attention.score.weight *= 10.0
    return enlivened(potential)


def sign_changes_of_scores(scan, steps):
    """Intervals of ``steps`` in which a score of the first layer changes its sign on an edge shorter than 3 A."""
    scores = []
    layer = scan.potential.representation.layers[0]
    handle = layer.attention.score.register_forward_hook(lambda _, __, output: scores.append(output.detach()))
    scan.forces(steps)
    handle.remove()
    vectors = edges_for(scan.potential, scan.batch(steps))[0].vector
    count = torch.bincount(scan_of_edges(scan, steps))
    assert (count == count[0]).all(), "an edge enters or leaves along the scan"
    near = (vectors.norm(dim=1) < 3.0).reshape(len(steps), -1, 1)
    signs = scores[0].sign().reshape(len(steps), int(count[0]), -1)
    changes = ((signs[1:] != signs[:-1]) & near[1:]).flatten(1).any(dim=1)
    return [(float(steps[k]), float(steps[k + 1])) for k in torch.nonzero(changes).flatten().tolist()]


def scan_of_edges(scan, steps):
    """The step (E,) that each edge of the batch of a scan belongs to."""
    batch = scan.batch(steps)
    return batch.batch[edges_for(scan.potential, batch)[0].centre]


@pytest.mark.parametrize("exponent", [3, 5, 6])
def test_cosine_envelope_is_c1_only(exponent):
    def check(name):
        second_derivative_is_continuous(make_envelope(name, CUTOFF, exponent), CUTOFF - 1.0, CUTOFF + 0.5)

    assert_only_default_passes(check, "polynomial", "cosine", "slope jumps by .* at (5.0000|4.9999)")


@pytest.mark.parametrize("architecture", [SAKE, SO3KRATES, NONLOCAL], ids=["sake", "so3krates", "nonlocal"])
def test_cosine_envelope_in_potentials(architecture):
    def check(potential):
        assert_smooth_scan(Scan(potential, chain(CUTOFF), 3, X), -0.5, 0.3)

    assert_only_default_passes(check, build(architecture), build(architecture, envelope="cosine"), "slope jumps")


# ---------------------------------------------------------------- normalisations


def exits_gently(potential):
    assert_gentle_exit(Scan(potential, leaver(CUTOFF), 3, X), -1.0, 0.2)


def test_literal_normalisation_of_sake_jumps_with_the_last_neighbour():
    printed = build(SAKE, normalisation="literal")
    assert_only_default_passes(exits_gently, build(SAKE), printed, "slope jumps")


def test_literal_normalisation_of_sake_changes_the_energy_at_once():
    def check(potential):
        scan = Scan(potential, leaver(CUTOFF), 3, X)
        energies = scan.energies(uniform(-1e-9, 1e-9, 2))
        assert (energies[0] - energies[1]).abs() < 1e-6, "energy jumps"

    assert_only_default_passes(check, build(SAKE), build(SAKE, normalisation="literal"), "energy jumps")


def test_epsilon_in_the_normalisation_of_sake_is_a_cliff():
    """Continuous for mathematics, but not for a time step: an epsilon makes the jump steep, not small."""

    def check(potential):
        steps = uniform(-1.0, 0.2, 401)
        curvature = Scan(potential, leaver(CUTOFF), 3, X).forces(steps).diff(dim=0) / steps.diff().unsqueeze(1)
        assert curvature.abs().max() < 10.0, "the curvature"

    steep = literal.with_normalisations(build(SAKE), literal.SteepNormalisation())
    assert_only_default_passes(check, build(SAKE), steep, "the curvature")
    with pytest.raises(AssertionError):
        exits_gently(steep)


def test_literal_normalisation_of_so3krates_jumps_with_the_last_neighbour():
    printed = build(SO3KRATES, normalisation="neighbours")
    assert_only_default_passes(exits_gently, build(SO3KRATES), printed, "slope jumps|energy and work differ")


# ---------------------------------------------------------------- norms


def test_euclidean_norm_of_sake_has_a_kink():
    def check(potential):
        assert_smooth_scan(Scan(potential, carbon_dioxide(), 1, X), -0.2, 0.2)

    assert_only_default_passes(check, build(SAKE), build(SAKE, norm="euclidean"), "slope jumps")


def test_euclidean_norm_of_so3krates_has_no_gradient_in_symmetric_molecules():
    def check(potential):
        system = carbon_dioxide()
        assert_forces_obey(potential, system, [(MIRROR, order_of_image(system, MIRROR))])

    printed = make_potential({**SO3KRATES, "sphc_softening": 0.0})
    assert_only_default_passes(check, build(SO3KRATES), printed, "not finite")


def test_euclidean_norm_of_so3krates_has_a_kink():
    def check(potential):
        assert_smooth_slope(Scan(potential, carbon_dioxide(), 1, X).forces, -0.21, 0.2)

    assert_only_default_passes(
        check, build(SO3KRATES), make_potential({**SO3KRATES, "sphc_softening": 0.0}), "slope jumps by .* at -?0.0000"
    )


def test_euclidean_distance_of_spherical_neighbourhoods_has_no_gradient_where_atoms_coincide():
    sphc = random_numbers(1, 4, 15)
    sphc[1] = sphc[0]
    pairs = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    centre, other = pairs[pairs[:, 0] != pairs[:, 1]].T

    def check(softening):
        x = sphc.clone().requires_grad_()
        weights = SphericalNeighbourhood(kappa=1.0, softening=softening)(x, centre, other)
        gradient = torch.autograd.grad((weights * torch.arange(12)).sum(), x)[0]
        assert gradient.isfinite().all(), "gradient is not finite"

    assert_only_default_passes(check, 0.1, 0.0, "not finite")


def test_euclidean_distance_of_the_nonlocal_model_has_no_gradient_for_separated_atoms():
    def check(potential):
        assert evaluate(potential, dimer(2 * CUTOFF)).forces.isfinite().all(), "forces are not finite"

    assert_only_default_passes(
        check, build(NONLOCAL), make_potential({**NONLOCAL, "sphc_softening": 0.0}), "not finite"
    )


# ---------------------------------------------------------------- mirror images and rotations


def test_all_couplings_of_so3krates_tell_mirror_images_apart():
    def check(potential):
        assert_equivariant(potential, ethanol(), MIRROR)

    printed = build(SO3KRATES, coupling="all")
    assert_only_default_passes(check, build(SO3KRATES), printed, "differ by")
    assert_equivariant(printed, ethanol(), rotation())
    assert printed.representation.symmetry == "SO(3)"


def test_componentwise_tanh_breaks_rotations():
    def check(potential):
        assert_equivariant(potential, ethanol(), rotation())

    printed = literal.with_updates(build(SAKE), literal.ComponentwiseTanhUpdate)
    assert_only_default_passes(check, build(SAKE), printed, "differ by")


def test_old_velocity_never_moves_in_the_first_layer():
    def check(potential):
        assert features_of(potential, ethanol()).vectors[:, 0].norm(dim=1).min() > 0, "atoms do not move"

    one_layer = {**SAKE, "layers": 1}
    printed = literal.with_updates(build(one_layer), literal.OldVelocityUpdate)
    assert_only_default_passes(check, build(one_layer), printed, "do not move")


# ---------------------------------------------------------------- moved positions


def test_envelope_of_moved_distance_depends_on_the_list():
    """Edges enter a list at a physical distance, where the moved distance can be inside the cutoff."""

    def check(potential):
        steps = uniform(-0.5, 0.5, 21)
        exact = Scan(potential, chain(CUTOFF), 3, X).forces(steps)
        skin = Scan(potential, chain(CUTOFF), 3, X, extra=1.0).forces(steps)
        assert_close(skin, exact, 1e-12)

    printed = build(SAKE)
    envelope = printed.representation.envelope
    printed = literal.with_layers(printed, lambda layer: literal.MovedEnvelopeLayer(layer, envelope))
    assert_only_default_passes(check, build(SAKE), printed, "differ by")


def test_exact_directions_of_moved_positions_have_a_kink():
    """The push is scaled until the two atoms of a dimer meet somewhere along the scan."""

    def check(potential):
        assert_smooth_slope(Scan(potential, dimer(1.5), 1, X).forces, -0.5, 0.5)

    default, printed = meeting(softening=0.3), meeting(softening=0.0)
    assert_only_default_passes(check, default, printed, "slope jumps")


def meeting(softening):
    """A SAKE potential of two layers whose first layer moves the atoms of a dimer of 1.5 A onto each other."""
    potential = make_potential({**SAKE, "layers": 2, "softening": softening}, seed=1)
    first = potential.representation.layers[0].update.mixing.weight
    with torch.no_grad():
        one = make_potential({**SAKE, "layers": 1, "softening": softening}, seed=1)
        one.representation.layers[0].load_state_dict(potential.representation.layers[0].state_dict())
        one.embedding.load_state_dict(potential.embedding.state_dict())
        displacement = features_of(one, dimer(1.5)).vectors[:, 0, 0]
        first *= -1.5 / (displacement[1] - displacement[0])
    return potential


def test_guarded_directions_are_not_unit_vectors():
    edges = edges_for(build(SAKE), ethanol())[0]

    def check(potential):
        direction = potential.representation.layers[0].directions(edges.vector)[0]
        assert_close(direction.norm(dim=1), torch.ones(len(edges.vector), dtype=torch.float64), 1e-15)

    printed = literal.with_directions(build(SAKE), literal.GuardedDirections())
    assert_only_default_passes(check, build(SAKE), printed, "differ by")
