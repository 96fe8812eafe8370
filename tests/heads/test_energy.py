import torch

from sakeff.heads import EnergyReadout
from sakeff.types import Features
from tests.helpers import random_numbers


def test_a_two_layer_network_on_each_atom():
    readout, scalars = EnergyReadout(6).double(), random_numbers(1, 5, 6)
    first, last = readout.network[0], readout.network[2]
    hidden = torch.nn.functional.silu(scalars @ first.weight.T + first.bias)
    expected = (hidden @ last.weight.T + last.bias).squeeze(1)
    assert torch.allclose(readout(Features(scalars, torch.zeros(5, 0, 3))), expected, rtol=1e-13)


def test_vectors_do_not_matter():
    readout, scalars = EnergyReadout(6).double(), random_numbers(1, 5, 6)
    one = readout(Features(scalars, random_numbers(2, 5, 2, 3)))
    assert torch.equal(one, readout(Features(scalars, random_numbers(3, 5, 1, 3))))
