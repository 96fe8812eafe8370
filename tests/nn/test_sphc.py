import itertools
import math

import pytest
import torch
from e3nn import o3

from sakeff.nn.sphc import CrossDegreeCoupling, DegreeNorms, order_slices
from tests.helpers import random_numbers


def size(degrees):
    return sum(2 * l + 1 for l in degrees)


@pytest.mark.parametrize("degrees", [[0], [1], [1, 2, 3], [0, 2, 5]])
def test_order_slices_tile_the_axis(degrees):
    covered = [k for orders in order_slices(degrees) for k in range(orders.start, orders.stop)]
    assert covered == list(range(size(degrees)))
    assert [orders.stop - orders.start for orders in order_slices(degrees)] == [2 * l + 1 for l in degrees]


@pytest.mark.parametrize("softening", [0.0, 0.1])
def test_degree_norms(softening):
    degrees, x = [0, 1, 3], random_numbers(1, 6, 11)
    norms = DegreeNorms(degrees, softening).double()(x)
    for column, orders in enumerate(order_slices(degrees)):
        plain = torch.linalg.vector_norm(x[:, orders], dim=1)
        assert torch.allclose(norms[:, column], torch.sqrt(plain**2 + softening**2) - softening, rtol=1e-13)


def test_degree_norms_have_gradients_at_zero():
    x = torch.zeros(2, 8, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(DegreeNorms([1, 2], 0.1).double()(x).sum(), x)[0]
    assert (gradient == 0).all()


def allowed(degrees, parity):
    for (l1, l2), l in itertools.product(itertools.combinations(degrees, 2), degrees):
        if abs(l1 - l2) <= l <= l1 + l2 and (parity == "all" or (l1 + l2 + l) % 2 == 0):
            yield l1, l2, l


@pytest.mark.parametrize("parity", ["even", "all"])
@pytest.mark.parametrize("degrees", [[1, 2, 3], [0, 1, 2], [1, 2, 3, 4]])
def test_coupling_is_eq_19(degrees, parity):
    """A loop over all paths with the coefficients of e3nn, each up to the sign of its path."""
    coupling = CrossDegreeCoupling(degrees, parity).double()
    chi, orders = random_numbers(2, 4, size(degrees)), dict(zip(degrees, order_slices(degrees), strict=True))
    paths = list(allowed(degrees, parity))
    assert coupling.weights.shape == (len(paths),)
    for index, (l1, l2, l) in enumerate(paths):
        with torch.no_grad():
            coupling.weights.zero_()[index] = 0.7
        coefficients = math.sqrt(2 * l + 1) * o3.wigner_3j(l1, l2, l, dtype=torch.float64)
        one = torch.einsum("abc,na,nb->nc", coefficients, chi[:, orders[l1]], chi[:, orders[l2]])
        found = coupling(chi).detach()
        sign = torch.sign((found[:, orders[l]] * one).sum())
        assert torch.allclose(found[:, orders[l]], sign * 0.7 * one, atol=1e-12)
        found[:, orders[l]] = 0
        assert (found == 0).all()


def test_paths_add_up():
    coupling, chi = CrossDegreeCoupling([1, 2, 3], "even").double(), random_numbers(3, 4, 15)
    whole, weights = coupling(chi).detach(), coupling.weights.detach().clone()
    parts = torch.zeros_like(whole)
    for index in range(len(weights)):
        with torch.no_grad():
            coupling.weights.zero_()[index] = weights[index]
        parts += coupling(chi).detach()
    assert torch.allclose(whole, parts, atol=1e-13)


@pytest.mark.parametrize("degrees", [[0], [1], [3]])
def test_a_single_degree_has_nothing_to_couple(degrees):
    coupling = CrossDegreeCoupling(degrees, "all").double()
    assert (coupling(random_numbers(4, 3, size(degrees))) == 0).all()


def test_gradients():
    coupling, chi = CrossDegreeCoupling([1, 2], "all").double(), random_numbers(5, 2, 8).requires_grad_()
    assert torch.autograd.gradgradcheck(coupling, chi)
