"""Forecasts turn with the system, do not depend on where it stands, and follow a renaming of particles."""

import numpy as np
import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.forecasting.model import build_forecaster, count_vectors
from sakeff.forecasting.task import Samples, SampleStore
from sakeff.representations import make_representation
from tests.contract.architectures import ARCHITECTURES
from tests.helpers import random_numbers, rotation

MIRROR = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))
OPEN = {name: architecture.representation for name, architecture in ARCHITECTURES.items()}


def systems(seed=0):
    """Three systems of five particles."""
    charges = torch.sign(random_numbers(seed, 3, 5))
    positions, velocities = [random_numbers(seed + k, 3, 5, 3).numpy() for k in (1, 2)]
    return Samples(charges.numpy(), positions, velocities, np.zeros((3, 5, 1, 3)), np.ones(1))


def forecast(forecaster, samples):
    """Changes of all systems, (3, 5, O, 3)."""
    batch = SampleStore(samples, "cpu", torch.float64).batch(torch.arange(3))
    return forecaster(batch.charges, batch.velocities, batch.edges).unflatten(0, (3, 5)).detach()


def turned(samples, matrix, shift=0.0):
    matrix = matrix.numpy()
    return samples._replace(positions=samples.positions @ matrix.T + shift, velocities=samples.velocities @ matrix.T)


@pytest.fixture(params=OPEN)
def forecaster(request):
    return build_forecaster(OPEN[request.param], 2, 0.5, seed=1).double()


def test_rotation_and_translation(forecaster):
    samples, matrix = systems(), rotation(5)
    expected = forecast(forecaster, samples) @ matrix.T
    assert expected.abs().max() > 1e-3
    torch.testing.assert_close(forecast(forecaster, turned(samples, matrix, 3.0)), expected, rtol=1e-9, atol=1e-10)


def test_mirror_images(forecaster):
    samples = systems()
    expected = forecast(forecaster, samples) @ MIRROR
    got = forecast(forecaster, turned(samples, MIRROR))
    if forecaster.representation.symmetry == "O(3)":
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-10)
    else:
        assert (got - expected).abs().max() > 1e-6


def test_permutation(forecaster):
    samples, order = systems(), [3, 0, 4, 1, 2]
    shuffled = samples._replace(**{n: getattr(samples, n)[:, order] for n in ("charges", "positions", "velocities")})
    expected = forecast(forecaster, samples)[:, order]
    torch.testing.assert_close(forecast(forecaster, shuffled), expected, rtol=1e-9, atol=1e-10)


def test_systems_do_not_see_each_other(forecaster):
    samples = systems()
    moved = samples._replace(positions=samples.positions.copy())
    moved.positions[1] += random_numbers(9, 5, 3).numpy()
    difference = (forecast(forecaster, samples) - forecast(forecaster, moved)).abs().amax(dim=(1, 2, 3))
    assert difference[1] > 1e-4
    torch.testing.assert_close(difference[[0, 2]], torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)


def test_charges_and_velocities_matter():
    forecaster, samples = build_forecaster(OPEN["sake"], 1).double(), systems()
    before = forecast(forecaster, samples)
    for other in (
        samples._replace(charges=-samples.charges),
        samples._replace(velocities=-samples.velocities),
    ):
        assert (forecast(forecaster, other) - before).abs().max() > 1e-3


def test_all_pairs_are_seen_whatever_the_number_of_lists():
    """A non-local representation gets one complete graph for each of its lists."""
    forecaster = build_forecaster(OPEN["so3krates-nonlocal"], 1)
    assert len(forecaster.requests()) == 2


def test_vectors_are_counted():
    assert count_vectors(make_representation(**OPEN["sake"])) == 2
    assert count_vectors(make_representation(**OPEN["so3krates"])) == 1
    assert count_vectors(make_representation(**{**OPEN["so3krates"], "degrees": [2], "heads": 1})) == 0


def test_weights_depend_on_the_seed_alone():
    one, two, other = [build_forecaster(OPEN["sake"], 1, seed=seed) for seed in (3, 3, 4)]
    weights = [torch.cat([p.flatten() for p in f.parameters()]) for f in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    with pytest.raises(ConfigError, match="sake2"):
        build_forecaster({"name": "sake2"}, 1)


def test_velocities_enter_as_displacements():
    embedding = build_forecaster(OPEN["sake"], 1, time_unit=0.25).double().embedding
    charges, velocities = torch.sign(random_numbers(0, 5)), random_numbers(1, 5, 3)
    features = embedding(charges, velocities)
    assert torch.equal(features.vectors[:, 0], 0.25 * velocities)
    speed = velocities.norm(dim=1)
    expected = embedding.network(torch.stack([charges, speed], dim=1))
    torch.testing.assert_close(features.scalars, expected, rtol=1e-12, atol=1e-14)
