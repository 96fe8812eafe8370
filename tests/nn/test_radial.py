import math

import pytest
import torch

from sakeff.nn.radial import ExpNormalBasis, GaussianBasis
from tests.helpers import tensor


def test_exp_normal_is_eq_30_without_its_cutoff():
    r, size, cutoff = tensor([0.7, 1.9, 4.4]), 8, 5.0
    low = math.exp(-cutoff)
    gamma = (2 / size * (1 - low)) ** -2
    centres = [low + (1 - low) * k / (size - 1) for k in range(size)]
    expected = tensor([[math.exp(-gamma * (math.exp(-float(x)) - c) ** 2) for c in centres] for x in r])
    assert torch.allclose(ExpNormalBasis(size, cutoff).double()(r), expected, rtol=1e-5)


def test_gaussians_are_centred_from_zero_to_the_cutoff():
    basis = GaussianBasis(11, 5.0).double()
    values = basis(basis.centres)
    assert torch.equal(values.argmax(dim=1), torch.arange(11))
    assert torch.allclose(values.diagonal(), torch.ones(11, dtype=torch.float64))
    assert torch.allclose(values[4, 5], tensor(math.exp(-0.5)), rtol=1e-6)  # one spacing away
    assert basis.centres[0] == 0
    assert basis.centres[-1] == 5.0


@pytest.mark.parametrize("make", [ExpNormalBasis, GaussianBasis])
def test_gradients(make):
    r = torch.linspace(0.3, 5.5, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(make(6, 5.0).double(), r)


@pytest.mark.parametrize("make", [ExpNormalBasis, GaussianBasis])
def test_far_distances_are_finite(make):
    r = tensor([1000.0]).requires_grad_()
    value = make(6, 5.0).double()(r)
    assert value.isfinite().all()
    assert torch.autograd.grad(value.sum(), r)[0].isfinite().all()
