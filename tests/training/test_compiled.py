"""The operators of compiled training against torch's, and the rewritten graph against the gradient it came from."""

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from sakeff.config import build_potential, parse_potential_config
from sakeff.fast.build import operators_available
from sakeff.training.compiled import compile_gradient, use_own_operators
from tests.training.builders import TINY, make_step

SAKE = {"name": "sake", "width": 8, "layers": 2, "heads": 2, "coefficients": 4, "cutoff": 3.0, "basis_size": 4}

pytestmark = pytest.mark.skipif(not operators_available(), reason="no compiler for the C++ operators")


def random_matrix(rows, columns, layout, dtype=torch.float64):
    """A matrix stored by rows, by columns, or as a part of a larger one."""
    generator = torch.Generator().manual_seed(rows * 1000 + columns)
    if layout == "columns":
        return torch.randn(columns, rows, generator=generator, dtype=dtype).t()
    if layout == "part":
        return torch.randn(rows, 2 * columns + 1, generator=generator, dtype=dtype)[:, 1::2]
    return torch.randn(rows, columns, generator=generator, dtype=dtype)


@pytest.mark.parametrize("right", ["rows", "columns", "part"])
@pytest.mark.parametrize("left", ["rows", "columns", "part"])
@pytest.mark.parametrize(("rows", "inner", "columns"), [(1, 1, 1), (7, 3, 16), (50, 33, 96), (13, 1000, 20), (5, 0, 4)])
def test_matrix_product(rows, inner, columns, left, right):
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 2e-4)):
        a, b = random_matrix(rows, inner, left, dtype), random_matrix(inner, columns, right, dtype)
        product = torch.ops.sakeff.matrix_product(a, b)
        assert product.is_contiguous()
        torch.testing.assert_close(product, a @ b, rtol=tolerance, atol=tolerance)


def test_products_that_do_not_exist():
    with pytest.raises(RuntimeError, match="have no product"):
        torch.ops.sakeff.matrix_product(torch.ones(2, 3), torch.ones(2, 3))
    with pytest.raises(RuntimeError, match="two data types"):
        torch.ops.sakeff.matrix_product(torch.ones(2, 3), torch.ones(3, 2, dtype=torch.float64))


def test_row_sums():
    values = random_matrix(9, 6, "columns").reshape(9, 2, 3)
    index = torch.tensor([4, 0, 0, 3, 4, 4, 1, 0, 3])
    expected = torch.zeros(6, 2, 3, dtype=torch.float64).index_add(0, index, values)
    torch.testing.assert_close(torch.ops.sakeff.row_sums(values, index, 6), expected, rtol=0, atol=1e-14)
    with pytest.raises(IndexError, match="no row 4"):
        torch.ops.sakeff.row_sums(values, index, 4)
    assert torch.ops.sakeff.row_sums(values[:0], index[:0], 3).tolist() == [[[0.0] * 3] * 2] * 3


def step_of(representation, frames):
    config = parse_potential_config({"elements": [1, 8], "representation": representation})
    return make_step(frames, build_potential(config, seed=1).double())


@pytest.mark.parametrize("representation", [SAKE, TINY], ids=["sake", "so3krates"])
def test_a_rewritten_graph_gives_the_same_gradient(representation, frames):
    step = step_of(representation, frames)
    arguments = step.weights, *step._inputs(torch.arange(5))
    graph = make_fx(step.gradient)(*arguments)
    use_own_operators(graph)
    used = {str(node.target) for node in graph.graph.nodes}
    assert {"sakeff.matrix_product.default", "sakeff.row_sums.default"} <= used
    with torch.no_grad():
        loss, errors, gradient = graph(*arguments)
    expected = step.gradient(*arguments)
    torch.testing.assert_close(loss, expected.loss, rtol=1e-12, atol=0)
    torch.testing.assert_close(errors, expected.errors, rtol=1e-10, atol=1e-12)
    for found, right in zip(gradient, expected.gradient, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_a_compiled_gradient_is_the_same(frames):
    step = step_of(SAKE, frames)
    arguments = step.weights, *step._inputs(torch.arange(5))
    expected = step.gradient(*arguments)
    compiled = compile_gradient(step.gradient, *arguments)(*arguments)
    torch.testing.assert_close(compiled.loss, expected.loss, rtol=1e-12, atol=0)
    for found, right in zip(compiled.gradient, expected.gradient, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-12)
