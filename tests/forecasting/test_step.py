import numpy as np
import pytest
import torch

from sakeff.forecasting.dataset import load, set_path
from sakeff.forecasting.jitter import Jitter
from sakeff.forecasting.model import build_forecaster
from sakeff.forecasting.step import ForecastErrors, ForecastStep, ForecastValidator
from sakeff.forecasting.task import SampleStore, make_samples
from sakeff.training.ema import WeightAverage
from sakeff.training.update import WeightUpdate
from tests.forecasting.builders import TINY

TARGETS = {"positions": 1.0, "velocities": 0.25}


@pytest.fixture
def store(data):
    samples = make_samples(load(set_path(data, "test")), [4], 5, list(TARGETS))
    return SampleStore(samples, "cpu", torch.float64)


@pytest.fixture
def forecaster():
    return build_forecaster(TINY, 2, seed=1).double()


def errors_one_by_one(forecaster, store):
    """Mean squared errors of positions and velocities, system by system."""
    squared = []
    for index in range(len(store)):
        batch = store.batch(torch.tensor([index]))
        squared.append((forecaster(batch.charges, batch.velocities, batch.edges) - batch.changes).square())
    return torch.cat(squared).mean(dim=(0, 2)).detach().numpy()


@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
def test_errors_are_means_over_particles_and_components(forecaster, store, batch_size):
    expected = errors_one_by_one(forecaster, store)
    loss, metrics = ForecastValidator(store, batch_size, ForecastErrors(TARGETS))(forecaster)
    assert metrics == pytest.approx({"mse_positions": expected[0], "mse_velocities": expected[1]}, rel=1e-12)
    assert loss == pytest.approx((expected[0] + 0.25 * expected[1]) / 2, rel=1e-12)
    assert forecaster.training


def test_empty_systems_do_not_change_the_gradient(forecaster, store):
    errors = ForecastErrors(TARGETS)

    def gradient(indices):
        batch = store.batch(torch.tensor(indices))
        loss = errors.loss(errors.sums(forecaster(batch.charges, batch.velocities, batch.edges), batch))
        found = torch.autograd.grad(loss, list(forecaster.parameters()), allow_unused=True, materialize_grads=True)
        return torch.cat([g.flatten() for g in found])

    torch.testing.assert_close(gradient([4, 1, 7, 7]), gradient([4, 1]), rtol=1e-10, atol=1e-13)


def make_step(forecaster, store):
    average = WeightAverage(forecaster, 0.9)
    optimizer = torch.optim.Adam(average.weights, lr=torch.tensor(0.01), fused=True)
    jitter = Jitter(0.0, 0, store.device, torch.float64)
    return ForecastStep(forecaster, store, 7, ForecastErrors(TARGETS), jitter, WeightUpdate(optimizer, 1.0, average))


def test_steps_lower_the_loss_and_add_up_errors(forecaster, store):
    step = make_step(forecaster, store)
    before = errors_one_by_one(forecaster, store)
    step(torch.arange(7))
    assert step.metrics(step.sums[:-2]) == pytest.approx(
        dict(zip(("mse_positions", "mse_velocities"), before, strict=True)), rel=1e-12
    )
    assert float(step.sums[-1]) == 1.0
    for _ in range(60):
        step(torch.arange(7))
    assert np.all(errors_one_by_one(forecaster, store) < 0.5 * before)


@pytest.mark.slow
def test_a_compiled_step_has_the_same_gradient(forecaster, store):
    step, indices = make_step(forecaster, store), torch.arange(7)
    expected = step.gradient(step.weights, store.batch(indices))
    step.compile(indices)
    found = step.gradient(step.weights, store.batch(indices))
    torch.testing.assert_close(found.sums, expected.sums, rtol=1e-12, atol=0)
    for compiled, right in zip(found.gradient, expected.gradient, strict=True):
        torch.testing.assert_close(compiled, right, rtol=1e-9, atol=1e-13)
