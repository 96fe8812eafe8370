import numpy as np
import pytest
import torch

from sakeff.errors import DataError
from sakeff.forecasting.dataset import load, set_path
from sakeff.forecasting.task import SampleStore, make_samples, with_reversed_time

BOTH = ["positions", "velocities"]


@pytest.fixture
def stored(data):
    return load(set_path(data, "test"))


@pytest.fixture
def samples(stored):
    return make_samples(stored, [4], 5, BOTH)


def test_samples_are_two_frames(stored, samples):
    trajectories = stored.trajectories
    assert np.array_equal(samples.positions, trajectories.positions[:, 4])
    moved = samples.positions + samples.changes[:, :, 0]
    np.testing.assert_allclose(moved, trajectories.positions[:, 9], rtol=1e-6, atol=1e-6)
    swapped = make_samples(stored, [4], 5, BOTH[::-1])
    assert np.array_equal(swapped.changes, samples.changes[:, :, ::-1])
    np.testing.assert_allclose(samples.uniform, [0.5, 0.0], rtol=1e-6)


def test_samples_can_start_at_several_frames(stored, samples):
    many = make_samples(stored, [2, 3, 4], 5, BOTH)
    systems = len(stored.trajectories.charges)
    assert many.charges.shape == (3 * systems, 5)
    for all_of_them, last in zip(many[:4], samples[:4], strict=True):
        assert np.array_equal(all_of_them[2 * systems :], last)


def test_time_can_run_backwards_between_the_same_frames(stored, samples):
    both = with_reversed_time(stored, [4], 5, BOTH)
    systems = len(stored.trajectories.charges)
    for all_of_them, forwards in zip(both[:4], samples[:4], strict=True):
        assert np.array_equal(all_of_them[:systems], forwards)
    positions, changes = both.positions[systems:], both.changes[systems:]
    assert np.array_equal(positions, stored.trajectories.positions[:, 9])
    np.testing.assert_allclose(positions + changes[:, :, 0], stored.trajectories.positions[:, 4], rtol=1e-5, atol=1e-5)
    # Up to the kick of one step, velocities are those of the frame with the other sign.
    assert np.abs(both.velocities[systems:] + stored.trajectories.velocities[:, 9]).max() < 0.2


@pytest.mark.parametrize(("frames", "horizon"), [([4], 0), ([4], 11), ([-1], 5), ([4], -1), ([3, 10], 5)])
def test_frames_that_are_not_there(stored, frames, horizon):
    with pytest.raises(DataError, match="15 stored frames"):
        make_samples(stored, frames, horizon, BOTH)


def test_a_batch_is_its_systems_side_by_side(samples):
    store = SampleStore(samples, "cpu", torch.float64)
    batch = store.batch(torch.tensor([5, 2, len(store)]))
    assert batch.charges.tolist() == [*samples.charges[5], *samples.charges[2], *samples.charges[0]]
    assert batch.weight.tolist() == [1.0] * 10 + [0.0] * 5
    assert batch.changes.shape == (15, 2, 3)
    positions = torch.tensor(np.concatenate([samples.positions[k] for k in (5, 2, 0)]), dtype=torch.float64)
    edges = batch.edges
    assert len(edges.centre) == 3 * 20
    assert torch.equal(edges.centre // 5, edges.other // 5)
    assert torch.equal(edges.vector, positions[edges.other] - positions[edges.centre])
    assert torch.equal(edges.centre[edges.reverse], edges.other)


def test_the_table_holds_every_system_once(samples):
    store = SampleStore(samples, "cpu", torch.float64)
    table = store.table(np.array([6, 5, 4, 3, 2, 1, 0]), 3)
    assert table.tolist() == [[6, 5, 4], [3, 2, 1], [0, 7, 7]]
