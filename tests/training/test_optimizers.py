"""The optimisers that a configuration can name."""

import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.training.config import OptimizerConfig
from sakeff.training.optimizers import make_optimizer
from tests.helpers import random_numbers


@pytest.mark.parametrize("name", ["adam", "adamw", "muon"])
def test_the_rate_is_a_tensor_that_a_schedule_may_change_and_no_optimiser_does(name):
    weights = [random_numbers(0, 6, 5).clone(), random_numbers(1, 5).clone()]
    optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.25), weights)
    for weight in weights:
        weight.grad = random_numbers(2, *weight.shape)
    for _ in range(3):
        optimizer.step()
    assert all(torch.equal(group["lr"], torch.tensor(0.25)) for group in optimizer.param_groups)
    before = [weight.clone() for weight in weights]
    for group in optimizer.param_groups:
        group["lr"].zero_()
    optimizer.step()
    assert all(torch.equal(weight, old) for weight, old in zip(weights, before, strict=True))


def test_the_first_update_of_muon_levels_the_spectrum_of_a_matrix():
    weight = torch.zeros(6, 5, dtype=torch.float64)
    optimizer = make_optimizer(OptimizerConfig(name="muon", learning_rate=0.01), [weight])
    weight.grad = random_numbers(0, 6, 5) * torch.tensor([1.0, 1.0, 1.0, 1.0, 0.1])
    optimizer.step()
    singular = torch.linalg.svdvals(weight) / (0.01 * 0.2 * 6**0.5)
    assert torch.linalg.cond(weight.grad) > 10
    assert singular.min() > 0.5  # five iterations level roughly: within 0.5 to 1.5
    assert singular.max() < 1.5


@pytest.mark.parametrize("shape", [(5,), (4, 9), (3, 4, 5)])
def test_muon_leaves_vectors_narrow_matrices_and_higher_tensors_to_adamw(shape):
    weights = {name: random_numbers(0, *shape).clone() for name in ("muon", "adamw")}
    for name, weight in weights.items():
        optimizer = make_optimizer(OptimizerConfig(name=name, learning_rate=0.01, weight_decay=0.1), [weight])
        for step in range(3):
            weight.grad = random_numbers(step, *shape)
            optimizer.step()
    assert torch.equal(weights["muon"], weights["adamw"])


def test_a_torch_without_muon_is_told_to_be_newer(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"pip install 'torch>=2\.9'"):
        make_optimizer(OptimizerConfig(name="muon"), [torch.zeros(6, 5)])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_muon_is_refused_on_a_gpu():
    with pytest.raises(ConfigError, match="train on the CPU or choose the optimizer adamw"):
        make_optimizer(OptimizerConfig(name="muon"), [torch.zeros(6, 5, device="cuda")])
