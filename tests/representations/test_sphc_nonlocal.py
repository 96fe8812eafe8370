"""The spherical neighbourhood against a dense transcription of eqs. 14 and 29 and A.2."""

import torch

from sakeff.representations.sphc_nonlocal import SphericalNeighbourhood
from tests.contract.checks import assert_smooth_slope
from tests.helpers import random_numbers


def all_pairs(n):
    pairs = torch.cartesian_prod(torch.arange(n), torch.arange(n))
    return pairs[pairs[:, 0] != pairs[:, 1]].T


def dense(sphc, kappa, softening, p=6):
    """phi(softmax along each row of the distance matrix / (kappa / n))."""
    squared = ((sphc[:, None] - sphc[None]) ** 2).sum(-1)
    rescaled = torch.softmax(torch.sqrt(squared + softening**2) - softening, dim=1)
    x = rescaled / (kappa / len(sphc))
    value = 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)
    return torch.where(x < 1, value, torch.zeros_like(x))


def test_equals_the_matrix_form():
    for kappa in (0.7, 1.0, 1.5):
        sphc, (centre, other) = random_numbers(1, 8, 15), all_pairs(8)
        weights = SphericalNeighbourhood(kappa, 0.1)(sphc, centre, other)
        assert torch.allclose(weights, dense(sphc, kappa, 0.1)[centre, other], atol=1e-12)


def test_some_pairs_count_and_some_do_not():
    sphc, (centre, other) = random_numbers(1, 8, 15), all_pairs(8)
    weights = SphericalNeighbourhood(1.0, 0.1)(sphc, centre, other)
    assert 0 < int((weights == 0).sum()) < len(weights)


def test_structures_of_a_batch_do_not_mix():
    one, two = random_numbers(1, 5, 15), random_numbers(2, 7, 15)
    (c1, o1), (c2, o2) = all_pairs(5), all_pairs(7)
    neighbourhood = SphericalNeighbourhood(1.0, 0.1)
    joined = neighbourhood(torch.cat([one, two]), torch.cat([c1, c2 + 5]), torch.cat([o1, o2 + 5]))
    apart = torch.cat([neighbourhood(one, c1, o1), neighbourhood(two, c2, o2)])
    assert torch.allclose(joined, apart, atol=1e-14)


def test_large_distances_do_not_overflow():
    sphc, (centre, other) = 1e4 * random_numbers(3, 6, 15), all_pairs(6)
    assert SphericalNeighbourhood(1.0, 0.1)(sphc.float(), centre, other).isfinite().all()


def test_gradients():
    sphc, (centre, other) = random_numbers(4, 4, 3).requires_grad_(), all_pairs(4)
    assert torch.autograd.gradgradcheck(lambda x: SphericalNeighbourhood(1.2, 0.1)(x, centre, other), sphc)


def test_smooth_where_two_atoms_pass_each_other():
    """Two atoms coincide in SPHC space in the middle of the scan."""
    start, direction, (centre, other) = random_numbers(5, 5, 4), 0.2 * random_numbers(6, 4), all_pairs(5)
    start[1] = start[0]
    mix = random_numbers(7, len(centre))

    def slope(steps):
        gradients = []
        for s in steps.tolist():
            x = torch.cat([start[:1] + s * direction, start[1:]]).requires_grad_()
            weights = SphericalNeighbourhood(1.2, 0.1)(x, centre, other)
            gradients.append(torch.autograd.grad((weights * mix).sum(), x)[0].flatten())
        return torch.stack(gradients)

    assert_smooth_slope(slope, -0.31, 0.3)
