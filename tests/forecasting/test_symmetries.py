"""Equivalent systems become equal samples, and what is taken from the targets is what uniform motion adds."""

import numpy as np
import pytest

from sakeff.forecasting.charged import Protocol, State, Trajectories, draw, simulate
from sakeff.forecasting.dataset import StoredSet
from sakeff.forecasting.symmetries import apply_symmetries
from sakeff.forecasting.task import make_samples

PROTOCOL = Protocol(steps=501, every=100)
BOTH = ["positions", "velocities"]


def samples_of(start):
    """Frames 1 to 4 of a simulation, in double precision."""
    stored = StoredSet(simulate(start, PROTOCOL), {"protocol": PROTOCOL._asdict()})
    assert not stored.trajectories.clipped.any()
    return make_samples(stored, [1], 3, BOTH)


@pytest.fixture
def start():
    """Eight systems far from any clip."""
    state = draw(np.random.default_rng(0), 8, PROTOCOL)
    return state._replace(positions=3.0 * state.positions)


def assert_equal(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_opposite_charges_move_alike(start):
    samples, opposite = samples_of(start), samples_of(start._replace(charges=-start.charges))
    assert np.abs(samples.charges - opposite.charges).max() == 2.0
    assert_equal(*[apply_symmetries(["charge_conjugation"], s) for s in (samples, opposite)])


def test_a_moving_observer_sees_the_same(start):
    moving = start._replace(velocities=start.velocities + np.array([0.3, -2.0, 1.0]))
    samples, boosted = samples_of(start), samples_of(moving)
    assert np.abs(samples.changes - boosted.changes).max() > 0.1
    one, two = [apply_symmetries(["galilean"], s) for s in (samples, boosted)]
    shift = two.positions - one.positions
    np.testing.assert_allclose(shift, np.broadcast_to(shift[:, :1], shift.shape), atol=1e-9)
    assert_equal(one, two._replace(positions=two.positions - shift))
    np.testing.assert_allclose(one.velocities.sum(axis=1), 0.0, atol=1e-12)
    # Without clips the centre of mass moves uniformly, so that nothing of it is left in the targets.
    np.testing.assert_allclose(one.changes.sum(axis=1), 0.0, atol=1e-9)


def test_a_system_without_a_majority_is_left_alone():
    charges = np.array([[1.0, -1.0], [-1.0, -1.0]])
    state = State(charges, *[np.random.default_rng(k).normal(size=(2, 2, 3)) for k in (1, 2)])
    frames = [np.stack([array] * 3, axis=1) for array in (state.positions, state.velocities)]
    stored = StoredSet(Trajectories(charges, *frames, np.zeros((2, 3), bool)), {"protocol": PROTOCOL._asdict()})
    got = apply_symmetries(["charge_conjugation"], make_samples(stored, [0], 1, BOTH))
    assert got.charges.tolist() == [[1.0, -1.0], [1.0, 1.0]]
