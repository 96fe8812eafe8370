import math

import pytest
import torch

from sakeff.nn.attention import LiteralNormalisation, SmoothNormalisation, enveloped_exp
from tests.helpers import random_numbers, tensor

CENTRE = torch.tensor([0, 0, 0, 2])  # atom 1 has no neighbour


def test_weights_are_exponentials_under_the_envelope():
    score, envelope = random_numbers(0, 4, 2), tensor([1.0, 0.5, 0.1, 0.0])
    assert torch.equal(enveloped_exp(score, envelope), score.exp() * envelope.unsqueeze(1))


def test_a_score_beyond_the_cutoff_does_not_overflow():
    score = tensor([[1e6], [1.0]]).requires_grad_()
    weight = enveloped_exp(score, tensor([0.0, 1.0]))
    assert weight[0] == 0
    gradient = torch.autograd.grad(weight.sum(), score)[0]
    assert torch.allclose(gradient, tensor([[0.0], [math.e]]), atol=1e-15)


def test_literal_normalisation_is_a_softmax_over_neighbours():
    score = random_numbers(1, 4, 2)
    alpha = LiteralNormalisation()(score.exp(), CENTRE, 3)
    assert torch.allclose(alpha[:3], torch.softmax(score[:3], dim=0), atol=1e-15)
    assert torch.equal(alpha[3], tensor([1.0, 1.0]))


def test_smooth_normalisation_counts_one_more():
    """A softmax with one more member of score zero, which no neighbour gets."""
    score = random_numbers(1, 4, 2)
    alpha = SmoothNormalisation()(score.exp(), CENTRE, 3)
    with_one_more = torch.cat([score[:3], torch.zeros(1, 2, dtype=torch.float64)])
    assert torch.allclose(alpha[:3], torch.softmax(with_one_more, dim=0)[:3], atol=1e-15)


@pytest.mark.parametrize(("normalisation", "last"), [(SmoothNormalisation(), 0.0), (LiteralNormalisation(), 1.0)])
def test_weight_of_a_last_neighbour_that_leaves(normalisation, last):
    alpha = normalisation(tensor([[1e-12]]), torch.tensor([0]), 1)
    assert float(alpha) == pytest.approx(last, abs=1e-11)


@pytest.mark.parametrize("normalisation", [SmoothNormalisation(), LiteralNormalisation()])
def test_atoms_whose_neighbours_are_all_beyond_the_cutoff(normalisation):
    assert torch.equal(normalisation(tensor([[0.0], [0.0]]), torch.tensor([0, 0]), 1), tensor([[0.0], [0.0]]))
