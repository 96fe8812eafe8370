import pytest
import torch
from torch import nn

from sakeff.training.ema import WeightAverage


def test_average_follows_the_formula():
    module = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(module.weight)
    average = WeightAverage(module, decay=0.8)
    expected = 0.0
    for update in range(30):
        with torch.no_grad():
            module.weight.fill_(float(update))
        average.update()
        decay = min(0.8, (1 + update) / (10 + update))
        expected += (1 - decay) * (update - expected)
    assert float(average.shadow[0]) == pytest.approx(expected, rel=1e-6)


def test_no_decay_follows_the_weights():
    module = nn.Linear(2, 2)
    average = WeightAverage(module, decay=0.0)
    with torch.no_grad():
        module.weight.add_(1.0)
    average.update()
    torch.testing.assert_close(average.shadow[0], module.weight.detach())


def test_applied_swaps_in_place_and_back():
    module = nn.Linear(2, 2)
    average = WeightAverage(module, decay=0.9)
    address, before = module.weight.data_ptr(), module.weight.detach().clone()
    with torch.no_grad():
        module.weight.add_(1.0)
    with average.applied():
        torch.testing.assert_close(module.weight.detach(), before)
    torch.testing.assert_close(module.weight.detach(), before + 1.0)
    assert module.weight.data_ptr() == address
