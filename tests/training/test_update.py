import pytest
import torch

from sakeff.training.config import OptimizerConfig
from sakeff.training.ema import WeightAverage
from sakeff.training.optimizers import make_optimizer
from sakeff.training.update import WeightUpdate, clip_gradients
from tests.helpers import random_numbers


def test_clipping_limits_the_joint_norm():
    gradients = [random_numbers(0, 4, 3), random_numbers(1, 5)]
    originals = [g.clone() for g in gradients]
    norm = torch.cat([g.reshape(-1) for g in gradients]).norm()
    clip_gradients(gradients, 10.0 * float(norm))
    for got, expected in zip(gradients, originals, strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
    clip_gradients(gradients, 0.5)
    assert float(torch.cat([g.reshape(-1) for g in gradients]).norm()) == pytest.approx(0.5, rel=1e-5)
    torch.testing.assert_close(gradients[1] / gradients[1].norm(), originals[1] / originals[1].norm())


def test_the_two_parts_of_muon_share_the_memory_of_a_model():
    module = torch.nn.Linear(6, 5).double()
    average = WeightAverage(module, 0.9)
    update = WeightUpdate(make_optimizer(OptimizerConfig(name="muon"), average.weights), 1.0, average)
    memory = {name for name in update.state() if name.startswith("optimizer.")}
    assert memory == {
        f"optimizer.{m}" for m in ("momentum_buffer.weight", "step.bias", "exp_avg.bias", "exp_avg_sq.bias")
    }


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.AdamW])
def test_memory_is_there_and_empty_and_the_weights_are_untouched_before_the_first_update(optimizer):
    module = torch.nn.Linear(3, 2).double()
    before = [weight.detach().clone() for weight in module.parameters()]
    average = WeightAverage(module, 0.9)
    fused = optimizer(average.weights, lr=torch.tensor(0.1), weight_decay=0.1, fused=True)
    update = WeightUpdate(fused, 1.0, average)
    memory = {name: value for name, value in update.state().items() if name.startswith("optimizer.")}
    assert {"optimizer.step.weight", "optimizer.exp_avg.weight", "optimizer.exp_avg_sq.bias"} <= memory.keys()
    assert all(not value.any() for value in memory.values())
    for weight, expected in zip(module.parameters(), before, strict=True):
        assert torch.equal(weight, expected)
    assert update.optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
