"""Spherical harmonics and coupling coefficients against e3nn.

Its polar axis is y: our Y(x, y, z) is its Y(y, z, x), and its orders then run like ours.
"""

import numpy as np
import pytest
import torch
from e3nn import o3

from sakeff.nn.spherical import SphericalHarmonics, clebsch_gordan
from tests.helpers import random_numbers, rotation, tensor

DEGREES = [0, 1, 2, 3, 4, 5, 6]


def directions(count=20, seed=1):
    return torch.nn.functional.normalize(random_numbers(seed, count, 3), dim=1)


def e3nn_harmonics(degrees, unit):
    return o3.spherical_harmonics(degrees, unit[:, [1, 2, 0]], normalize=False, normalization="norm")


def test_values():
    unit = directions()
    assert torch.allclose(SphericalHarmonics(DEGREES)(unit), e3nn_harmonics(DEGREES, unit), atol=1e-12)


def test_gradients_along_the_sphere():
    """Off the sphere the polynomials may differ; along it the derivatives agree."""
    unit = directions()
    tangents = torch.linalg.cross(unit, directions(seed=2))
    weights = random_numbers(3, sum(2 * l + 1 for l in DEGREES))

    def slope(function):
        x = unit.clone().requires_grad_()
        gradient = torch.autograd.grad((function(x) @ weights).sum(), x)[0]
        return (gradient * tangents).sum(dim=1)

    ours = slope(SphericalHarmonics(DEGREES))
    assert torch.allclose(ours, slope(lambda x: e3nn_harmonics(DEGREES, x)), atol=1e-11)


def test_second_derivatives():
    unit = directions(3).requires_grad_()
    assert torch.autograd.gradgradcheck(SphericalHarmonics([1, 2, 3]), unit)


def test_racah_normalisation():
    values = SphericalHarmonics(DEGREES)(directions())
    for l in DEGREES:
        assert torch.allclose((values[:, l * l : (l + 1) ** 2] ** 2).sum(dim=1), torch.ones(20, dtype=torch.float64))


def test_degrees_in_any_order():
    unit = directions()
    both = SphericalHarmonics([1, 3])(unit)
    assert torch.equal(both[:, :3], SphericalHarmonics([1])(unit))
    assert torch.equal(both[:, 3:], SphericalHarmonics([3])(unit))
    assert torch.allclose(both[:, :3], unit[:, [1, 2, 0]], atol=1e-15)


def test_at_the_poles():
    poles = tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]).requires_grad_()
    values = SphericalHarmonics([1, 2, 3])(poles)
    assert values.isfinite().all()
    assert torch.autograd.grad(values.sum(), poles)[0].isfinite().all()


def test_scripts():
    harmonics, unit = SphericalHarmonics([1, 2, 3]), directions()
    assert torch.equal(torch.jit.script(harmonics)(unit), harmonics(unit))


PATHS = [(a, b, c) for a in range(5) for b in range(a, 5) for c in range(abs(a - b), min(a + b, 4) + 1)]


@pytest.mark.parametrize(("l1", "l2", "l3"), PATHS)
def test_coupling_coefficients(l1, l2, l3):
    """Equal to the 3j symbols of e3nn, whose overall sign is a convention."""
    ours, reference = clebsch_gordan(l1, l2, l3), o3.wigner_3j(l1, l2, l3, dtype=torch.float64).numpy()
    sign = np.sign((ours * reference).sum())
    np.testing.assert_allclose(ours, sign * reference, atol=1e-12)


@pytest.mark.parametrize(("l1", "l2", "l3"), [(1, 2, 3), (1, 2, 2), (2, 3, 1)])
def test_coupling_is_equivariant(l1, l2, l3):
    """Coupled harmonics turn like harmonics; odd sums of degrees keep their sign under inversion."""
    coefficients = torch.from_numpy(clebsch_gordan(l1, l2, l3))
    unit, other, turn = directions(), directions(seed=5), rotation()

    def coupled(x, y):
        one, two = SphericalHarmonics([l1])(x), SphericalHarmonics([l2])(y)
        return torch.einsum("abc,ea,eb->ec", coefficients, one, two)

    probe = directions(2 * l3 + 1, seed=7)
    wigner = torch.linalg.solve(SphericalHarmonics([l3])(probe), SphericalHarmonics([l3])(probe @ turn.T))
    assert torch.allclose(coupled(unit @ turn.T, other @ turn.T), coupled(unit, other) @ wigner, atol=1e-12)
    assert torch.allclose(coupled(-unit, -other), (-1) ** (l1 + l2) * coupled(unit, other), atol=1e-14)
