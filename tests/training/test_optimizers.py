"""The optimisers that a configuration can name."""

import sys

import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.training.config import OptimizerConfig
from sakeff.training.optimizers import make_optimizer
from tests.helpers import random_numbers

pytest.importorskip("pytorch_optimizer", reason="pytorch-optimizer is not installed (extra [train])")


def updates(name, steps):
    """Weights after this many updates with the same gradients."""
    weights = [random_numbers(0, 4, 3).clone(), random_numbers(1, 5).clone()]
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.01), weights)
    for step in range(steps):
        optimizer.param_groups[0]["lr"].fill_(0.01 / (1 + step))  # as a schedule does
        for index, weight in enumerate(weights):
            weight.grad = random_numbers(10 + 2 * step + index, *weight.shape)
        optimizer.step()
    return weights


@pytest.mark.parametrize("name", ["adam", "adamw", "soap"])
def test_the_rate_is_a_tensor_that_a_schedule_may_change_and_no_optimiser_does(name):
    weights = [random_numbers(0, 4, 3).clone()]
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.25), weights)
    weights[0].grad = random_numbers(1, 4, 3)
    for _ in range(3):
        optimizer.step()
    assert torch.equal(optimizer.param_groups[0]["lr"], torch.tensor(0.25))


def test_soap_starts_as_adam_and_departs_from_it_for_matrices_alone():
    soap, adam = updates("soap", 10), updates("adam", 10)
    for got, expected in zip(soap, adam, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)
    soap, adam = updates("soap", 30), updates("adam", 30)
    assert (soap[0] - adam[0]).abs().max() > 1e-4
    torch.testing.assert_close(soap[1], adam[1], rtol=0, atol=1e-6)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sakeff.training.soap", None)
    with pytest.raises(ConfigError, match=r"pip install 'sakeff\[train\]'"):
        make_optimizer(OptimizerConfig(name="soap"), [torch.zeros(2, 2)])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_soap_is_refused_on_a_gpu():
    with pytest.raises(ConfigError, match="train on the CPU or choose the optimizer adamw"):
        make_optimizer(OptimizerConfig(name="soap"), [torch.zeros(2, 2, device="cuda")])
