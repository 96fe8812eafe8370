import torch

from sakeff.ops import segment_sum
from tests.helpers import random_numbers


def test_equals_a_loop():
    values, index = random_numbers(1, 7, 2, 3), torch.tensor([0, 3, 3, 1, 0, 3, 1])
    expected = torch.zeros(5, 2, 3, dtype=torch.float64)
    for row, i in zip(values, index.tolist(), strict=True):
        expected[i] += row
    assert torch.allclose(segment_sum(values, index, 5), expected, rtol=1e-15)


def test_nothing_to_sum():
    out = segment_sum(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), 3)
    assert out.shape == (3, 4)
    assert (out == 0).all()


def test_gradients():
    values, index = random_numbers(2, 6, 3).requires_grad_(), torch.tensor([2, 0, 2, 2, 1, 0])
    assert torch.autograd.gradgradcheck(lambda v: segment_sum(v, index, 4) ** 2, values)


def test_scripts():
    scripted = torch.jit.script(segment_sum)
    values, index = random_numbers(3, 6, 3), torch.tensor([2, 0, 2, 2, 1, 0])
    assert torch.equal(scripted(values, index, 4), segment_sum(values, index, 4))
