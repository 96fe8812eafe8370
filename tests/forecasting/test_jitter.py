import numpy as np
import pytest
import torch

from sakeff.forecasting.dataset import load, set_path
from sakeff.forecasting.jitter import Jitter
from sakeff.forecasting.task import SampleStore, make_samples

CPU = torch.device("cpu")


@pytest.fixture
def store(data):
    return SampleStore(make_samples(load(set_path(data, "train")), [4], 5, ["positions"]), CPU, torch.float64)


def test_velocities_and_edges_get_noise_of_the_given_size(store):
    batch = store.batch(torch.arange(40).repeat(50))
    moved = Jitter(0.1, 3, CPU, torch.float64)(batch)
    kick, stretch = moved.velocities - batch.velocities, moved.edges.vector - batch.edges.vector
    assert float(kick.std()) == pytest.approx(0.1, rel=0.02)
    assert float(stretch.std()) == pytest.approx(0.1 * np.sqrt(2.0), rel=0.02)
    assert abs(float(kick.mean())) < 0.002
    # The noise is one of positions: opposite edges stay opposite, and around a triangle it adds up to nothing.
    torch.testing.assert_close(stretch, -stretch[batch.edges.reverse], rtol=0, atol=1e-12)
    ends = zip(batch.edges.centre.tolist(), batch.edges.other.tolist(), stretch, strict=True)
    edge = {(i, j): change for i, j, change in ends}
    torch.testing.assert_close(edge[0, 1] + edge[1, 2] + edge[2, 0], torch.zeros(3).double(), rtol=0, atol=1e-12)
    assert torch.equal(moved.changes, batch.changes)


def test_noise_follows_from_seed_and_step(store):
    batch = store.batch(torch.arange(5))
    one, two, other = [Jitter(0.1, seed, CPU, torch.float64) for seed in (3, 3, 4)]
    first = one(batch).velocities
    assert torch.equal(first, two(batch).velocities)
    assert not torch.equal(first, other(batch).velocities)
    second = one(batch).velocities
    assert not torch.equal(first, second)
    resumed = Jitter(0.1, 3, CPU, torch.float64)
    resumed.step.fill_(1)
    assert torch.equal(resumed(batch).velocities, second)


def test_none_by_default(store):
    batch = store.batch(torch.arange(5))
    assert torch.equal(Jitter(0.0, 3, CPU, torch.float64)(batch).edges.vector, batch.edges.vector)
