import pytest
import torch
from torch import nn

from sakeff.errors import ConfigError
from sakeff.nn.mlp import PairLinear, PartLinear, make_activation, make_mlp
from tests.helpers import random_numbers


def test_pair_linear_equals_concatenation():
    pair = PairLinear(5, 7).double()
    joint = nn.Linear(10, 7).double()
    with torch.no_grad():
        joint.weight.copy_(torch.cat([pair.centre.weight, pair.other.weight], dim=1))
        joint.bias.copy_(pair.centre.bias)
    x = random_numbers(1, 4, 5)
    centre, other = torch.tensor([0, 0, 3, 2, 1]), torch.tensor([1, 2, 0, 3, 1])
    expected = joint(torch.cat([x[centre], x[other]], dim=1))
    assert torch.allclose(pair(x, centre, other), expected, rtol=1e-13)


def test_fan_in_counts_the_whole_concatenation():
    assert PairLinear(5, 7).other.fan_in == 10
    assert PairLinear(5, 7, fan_in=31).centre.fan_in == 31
    assert PartLinear(3, 4, 20).bias is None


def test_mlp_has_activations_between_its_maps_only():
    network = make_mlp([3, 8, 6, 2], last_bias=False)
    assert [type(layer) for layer in network] == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
    assert [layer.bias is None for layer in network[::2]] == [False, False, True]
    assert network(torch.zeros(5, 3)).shape == (5, 2)


@pytest.mark.parametrize("name", ["silu", "softplus", "celu"])
def test_activations_grow_like_the_identity(name):
    x = torch.tensor([30.0, 31.0], dtype=torch.float64)
    assert torch.allclose(make_activation(name)(x).diff(), torch.ones(1, dtype=torch.float64), atol=1e-9)


def test_unknown_activation():
    with pytest.raises(ConfigError, match="Unknown activation 'relu'"):
        make_activation("relu")
