"""Tables are C2, exact at nodes in value, slope and curvature, and keep their error bound."""

import math

import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.fast.table import (
    RadialTable,
    hermite_basis,
    interpolation_error,
    table_at_spacing,
    tabulate,
    two_derivatives,
)

CUTOFF = 5.0


def wave(x):
    return torch.stack([torch.sin(3 * x), torch.exp(-x * x)], dim=-1)


def test_nodes_are_exact_in_value_slope_and_curvature():
    table = table_at_spacing(wave, CUTOFF, 0.1)
    inside = torch.linspace(0, CUTOFF, 51, dtype=torch.float64)[1:-1] + 1e-12
    for exact, found in zip(two_derivatives(wave, inside), two_derivatives(table, inside), strict=True):
        torch.testing.assert_close(found, exact, rtol=0, atol=1e-7)


def test_both_sides_of_a_node_agree_to_second_order():
    table = table_at_spacing(wave, CUTOFF, 0.25)
    nodes = torch.linspace(0, CUTOFF, 21, dtype=torch.float64)[1:-1]
    for left, right in zip(two_derivatives(table, nodes - 1e-12), two_derivatives(table, nodes + 1e-12), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-8)


def test_a_quintic_is_reproduced():
    def quintic(x):
        return (1 - x + 0.3 * x**2 - 0.2 * x**4 + 0.05 * x**5).unsqueeze(-1)

    table = table_at_spacing(quintic, CUTOFF, 0.5)
    points = torch.linspace(0, CUTOFF, 77, dtype=torch.float64)
    torch.testing.assert_close(table(points), quintic(points), rtol=0, atol=1e-12)


@pytest.mark.parametrize("spacing", [0.2, 0.1])
def test_error_is_within_the_bound(spacing):
    table = table_at_spacing(wave, CUTOFF, spacing)
    points = torch.linspace(0, CUTOFF, 5001, dtype=torch.float64)
    bound = spacing**6 * 3**6 / 46080
    assert float((table(points) - wave(points))[:, 0].abs().max()) <= bound


def test_basis_at_the_ends():
    """Nothing at the left node, the step alone at the right one."""
    basis = hermite_basis(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert basis.tolist() == [[0.0] * 5, [0.0, 0.0, 1.0, 0.0, 0.0]]


def test_slopes_keep_their_digits_in_float32():
    table = table_at_spacing(wave, CUTOFF, 0.002).float()
    points = torch.linspace(0.01, 4.99, 999, dtype=torch.float64)
    found = two_derivatives(table, points.float())[1]
    torch.testing.assert_close(found.double(), two_derivatives(wave, points)[1], rtol=0, atol=2e-5)


def test_the_value_stays_beyond_the_last_node():
    table = table_at_spacing(wave, CUTOFF, 0.1)
    far = torch.tensor([CUTOFF, CUTOFF + 1.0, 1e6], dtype=torch.float64)
    torch.testing.assert_close(table(far), wave(far[:1]).expand(3, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
def test_tolerance_is_kept(tolerance):
    table = tabulate(wave, CUTOFF, tolerance)
    assert isinstance(table, RadialTable)
    assert interpolation_error(table, wave, CUTOFF) <= tolerance


def test_a_kink_cannot_be_tabulated():
    with pytest.raises(ConfigError, match="tabulated"):
        tabulate(lambda x: (x - math.pi / 2).abs().unsqueeze(-1), CUTOFF, 1e-6)
