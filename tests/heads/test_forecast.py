import torch

from sakeff.heads import ForecastHead
from sakeff.types import Features
from tests.helpers import random_numbers


def make_head():
    return ForecastHead(width=6, n_vectors=2, outputs=2).double()


def test_changes_are_combinations_of_all_vectors():
    head, initial = make_head(), random_numbers(0, 5, 3)
    scalars, vectors = random_numbers(1, 5, 6), random_numbers(2, 5, 2, 3)
    c = head.coefficients(scalars)
    one = c[:, 0:1] * initial + c[:, 1:2] * vectors[:, 0] + c[:, 2:3] * vectors[:, 1]
    two = c[:, 3:4] * initial + c[:, 4:5] * vectors[:, 0] + c[:, 5:6] * vectors[:, 1]
    got = head(Features(scalars, vectors), initial)
    torch.testing.assert_close(got, torch.stack([one, two], dim=1), rtol=1e-12, atol=1e-14)


def test_a_representation_without_vectors_scales_the_initial_one():
    head, scalars, initial = ForecastHead(6, 0, 1).double(), random_numbers(0, 5, 6), random_numbers(1, 5, 3)
    got = head(Features(scalars, torch.zeros(5, 0, 3, dtype=torch.float64)), initial)
    torch.testing.assert_close(got[:, 0], head.coefficients(scalars) * initial, rtol=1e-12, atol=1e-14)


def test_the_head_is_scripted():
    head, features = make_head(), Features(random_numbers(0, 5, 6), random_numbers(1, 5, 2, 3))
    initial = random_numbers(2, 5, 3)
    assert torch.equal(torch.jit.script(head)(features, initial), head(features, initial))
