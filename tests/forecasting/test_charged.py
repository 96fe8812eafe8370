"""The dynamics of charged particles: forces, integrator, energy, and what clipping does to it."""

import numpy as np
import pytest

from sakeff.errors import ConfigError
from sakeff.forecasting.charged import Protocol, State, draw, energy, forces, reverse, simulate, synchronised

LONG = Protocol()


def frame(trajectories, k):
    return State(trajectories.charges, trajectories.positions[:, k], trajectories.velocities[:, k])


def total_energies(trajectories, protocol):
    """(M, T), with velocities at the time of the positions."""
    states = [frame(trajectories, k) for k in range(trajectories.positions.shape[1])]
    return np.stack(
        [energy(s._replace(velocities=synchronised(s, protocol)), protocol.strength) for s in states], axis=1
    )


@pytest.fixture(scope="module")
def start():
    return draw(np.random.default_rng(3), 200, LONG)


@pytest.fixture(scope="module")
def trajectories(start):
    return simulate(start, LONG)


def test_initial_state(start):
    assert set(np.unique(start.charges)) == {-1.0, 1.0}
    assert start.positions.std() == pytest.approx(1.0, abs=0.03)
    np.testing.assert_allclose(np.linalg.norm(start.velocities, axis=-1), 0.5, rtol=1e-12)


def test_forces_are_coulombs_law_and_the_slope_of_the_energy(start):
    one = State(*[array[:1] for array in start])
    got = forces(one.charges, one.positions, 1.5)[0]
    q, x = one.charges[0], one.positions[0]
    for i in range(5):
        pairs = [1.5 * q[i] * q[j] * (x[i] - x[j]) / np.linalg.norm(x[i] - x[j]) ** 3 for j in range(5) if j != i]
        np.testing.assert_allclose(got[i], np.sum(pairs, axis=0), rtol=1e-12)
    moved = []
    for step in (1e-5, -1e-5):
        shifted = one.positions.copy()
        shifted[0, 2, 1] += step
        moved.append(energy(one._replace(positions=shifted), 1.5)[0])
    assert -(moved[0] - moved[1]) / 2e-5 == pytest.approx(got[2, 1], rel=1e-7)


def test_a_step_is_a_kick_and_a_drift(start):
    """Two steps written out for one system."""
    protocol = Protocol(steps=3, every=2)
    one = State(*[array[:1] for array in start])
    x, v = one.positions.copy(), one.velocities.copy()
    for _ in range(2):
        v = v + 0.001 * np.clip(forces(one.charges, x, 1.0), -100.0, 100.0)
        x = x + 0.001 * v
    got = simulate(one, protocol)
    np.testing.assert_allclose(got.positions[:, 0], x, rtol=1e-13)
    np.testing.assert_allclose(got.velocities[:, 0], v, rtol=1e-13)


def test_two_charges_orbit_on_their_circle():
    """Opposite charges at distance 1 with relative speed sqrt(2 k / r) circle with period 2 pi sqrt(r^3 / 2k)."""
    positions = np.array([[[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]]])
    speed = 0.5 * np.sqrt(2.0)
    protocol = Protocol(particles=2, steps=4501, every=4443)  # a period of 4442.88 steps
    state = State(np.array([[1.0, -1.0]]), positions, np.array([[[0.0, speed, 0.0], [0.0, -speed, 0.0]]]))
    # A kick-drift step started half a kick early is second order: start from the velocity of half a step before.
    early = state.velocities - 0.5 * 0.001 * forces(state.charges, positions, 1.0)
    end = simulate(state._replace(velocities=early), protocol).positions[:, 0]
    np.testing.assert_allclose(end, positions, atol=2e-4)


def test_energy_is_conserved_where_no_force_is_clipped(start, trajectories):
    """Within 0.5 % of a typical energy of 1, over 5,000 steps."""
    calm = ~trajectories.clipped.any(axis=1)
    assert calm.sum() > 50
    drift = np.abs(total_energies(trajectories, LONG) - energy(start, 1.0)[:, None])[calm]
    assert drift.max() < 0.01
    assert np.median(drift.max(axis=1)) < 5e-4


def test_clipping_breaks_the_energy_when_it_acts(start, trajectories):
    wild = trajectories.clipped.any(axis=1)
    assert 0.2 < wild.mean() < 0.8
    energies = total_energies(trajectories, LONG)
    change = np.abs(energies[:, -1] - energy(start, 1.0))
    assert np.median(change[wild]) > 0.1
    first = trajectories.clipped.argmax(axis=1)
    before = [np.abs(energies[m, : first[m]] - energies[m, 0]).max() for m in np.flatnonzero(wild) if first[m] > 1]
    assert np.median(before) < 5e-3  # until then they conserve it like the others


def test_no_kick_is_larger_than_the_clip(trajectories):
    change = np.abs(np.diff(trajectories.velocities, axis=1)).max()
    assert change <= 100 * 0.1 + 1e-9
    close = draw(np.random.default_rng(0), 1, LONG)
    close.positions[0, 1] = close.positions[0, 0] + 1e-4
    kicked = simulate(close, Protocol(steps=2, every=1))
    assert np.abs(kicked.velocities[:, 0] - close.velocities).max() <= 0.1 + 1e-12
    assert kicked.clipped.all()


def test_momentum_is_conserved_without_clips(start, trajectories):
    calm = ~trajectories.clipped.any(axis=1)
    momentum = trajectories.velocities.sum(axis=2)[calm]
    np.testing.assert_allclose(momentum, np.broadcast_to(momentum[:, :1], momentum.shape), atol=1e-10)


def test_the_statistics_are_those_of_the_published_data(trajectories):
    """The best linear forecast has slope 0.7 and error 0.082 in the literature (Satorras et al. 2021)."""
    many = simulate(draw(np.random.default_rng(9), 1500, LONG), LONG)
    move = many.positions[:, 40] - many.positions[:, 30]
    velocity = many.velocities[:, 30]
    slope = (move * velocity).sum() / (velocity**2).sum()
    assert slope == pytest.approx(0.73, abs=0.04)
    assert ((move - slope * velocity) ** 2).mean() == pytest.approx(0.083, abs=0.008)


def test_a_reversed_trajectory_is_what_the_integrator_gives_backwards():
    short = Protocol(steps=601, every=100)
    start = draw(np.random.default_rng(5), 200, short)
    forwards = simulate(start, short)
    assert forwards.clipped.any()
    backwards = reverse(forwards, short)
    again = simulate(frame(backwards, 0), short)
    calm = ~forwards.clipped.any(axis=1)  # rounding grows fast in close encounters
    np.testing.assert_allclose(again.positions[calm, :-1], backwards.positions[calm, 1:], atol=1e-6)
    np.testing.assert_allclose(again.velocities[calm, :-1], backwards.velocities[calm, 1:], atol=1e-6)
    few = Protocol(steps=3, every=1)  # here every system is followed, clipped ones too
    forwards = simulate(start, few)
    backwards = reverse(forwards, few)
    again = simulate(frame(backwards, 0), few)
    np.testing.assert_allclose(again.positions[:, :-1], backwards.positions[:, 1:], atol=1e-12)
    np.testing.assert_allclose(again.velocities[:, :-1], backwards.velocities[:, 1:], atol=1e-12)


def test_a_protocol_without_frames_is_refused(start):
    with pytest.raises(ConfigError, match="give no frame"):
        simulate(start, Protocol(steps=100, every=100))
    assert LONG.frames == 49
