import pytest
import torch

from sakeff.ops import smooth_norm, squared_norm
from tests.helpers import random_numbers, tensor


def test_squared_norm_sums_the_last_axis():
    x = random_numbers(1, 4, 3, 5)
    assert torch.allclose(squared_norm(x), torch.linalg.vector_norm(x, dim=-1) ** 2, rtol=1e-14)


def test_smooth_norm_is_the_norm_far_from_zero():
    x = 1e3 * random_numbers(2, 6, 3)
    assert torch.allclose(smooth_norm(x, 0.1) + 0.1, torch.linalg.vector_norm(x, dim=-1), atol=1e-4)


def test_smooth_norm_is_quadratic_near_zero():
    x = 1e-3 * random_numbers(3, 6, 3)
    assert torch.allclose(smooth_norm(x, 0.5), squared_norm(x), rtol=1e-4)


def test_smooth_norm_vanishes_with_its_gradient_at_zero():
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    value = smooth_norm(x, 0.1)
    assert (value == 0).all()
    assert (torch.autograd.grad(value.sum(), x)[0] == 0).all()


@pytest.mark.parametrize("softening", [0.05, 0.3])
def test_curvature_of_smooth_norm_is_at_most_one_over_softening(softening):
    x = torch.linspace(-1.0, 1.0, 201, dtype=torch.float64)
    hessians = [torch.func.hessian(lambda v: smooth_norm(v, softening))(tensor([s, 0.0, 0.0])) for s in x]
    largest = max(float(torch.linalg.eigvalsh(h).max()) for h in hessians)
    assert largest == pytest.approx(1 / softening, rel=1e-12)


def test_gradients():
    x = random_numbers(4, 5, 3).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda v: smooth_norm(v, 0.2), x)
    assert torch.autograd.gradgradcheck(squared_norm, x)
