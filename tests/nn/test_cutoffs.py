import pytest
import torch

from sakeff.errors import ConfigError
from sakeff.nn.cutoffs import CosineEnvelope, PolynomialEnvelope, make_envelope
from tests.helpers import tensor


def eq_29(x, p):
    return 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)


def derivatives(function, x, order):
    x = x.clone().requires_grad_()
    value = function(x)
    for _ in range(order):
        value = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
    return value.detach()


@pytest.mark.parametrize("p", [3, 5, 6, 9])
def test_polynomial_is_eq_29(p):
    x = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)
    assert torch.allclose(PolynomialEnvelope(4.0, p)(4.0 * x), eq_29(x, p), atol=1e-13)


@pytest.mark.parametrize("p", [3, 5, 6, 9])
def test_value_slope_and_curvature_vanish_at_the_cutoff(p):
    envelope = PolynomialEnvelope(4.0, p)
    for order in range(3):
        assert (derivatives(envelope, tensor([4.0, 4.1, 9.0, 1e4]), order) == 0).all()


@pytest.mark.parametrize("p", [3, 5, 6])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_polynomial_is_positive_up_to_the_cutoff(p, dtype):
    cutoff = torch.tensor(4.0, dtype=dtype)
    below = torch.nextafter(cutoff, torch.zeros((), dtype=dtype))
    x = torch.cat([torch.linspace(0.0, 3.999, 999, dtype=dtype), below.reshape(1)])
    values = PolynomialEnvelope(4.0, p)(x)
    assert (values > 0).all()
    assert values[0] == 1
    assert (values.diff() <= 4 * torch.finfo(dtype).eps).all()  # rounding, where the envelope is almost flat


def test_slope_and_curvature_vanish_at_zero():
    for order in (1, 2):
        assert (derivatives(PolynomialEnvelope(4.0, 5), tensor([0.0]), order).abs() < 1e-14).all()


def test_gradients():
    x = torch.linspace(0.1, 5.0, 23, dtype=torch.float64, requires_grad=True)
    for envelope in (PolynomialEnvelope(4.0), CosineEnvelope(4.0)):
        assert torch.autograd.gradgradcheck(envelope, x)


def test_cosine_is_eq_31():
    values = CosineEnvelope(4.0)(tensor([0.0, 2.0, 4.0, 5.0, 8.0]))
    assert torch.allclose(values, tensor([1.0, 0.5, 0.0, 0.0, 0.0]), atol=1e-15)


@pytest.mark.parametrize("name", ["polynomial", "cosine"])
def test_scripts(name):
    envelope, x = make_envelope(name, 4.0), torch.linspace(0.1, 5.0, 23, dtype=torch.float64)
    assert torch.equal(torch.jit.script(envelope)(x), envelope(x))


def test_bad_arguments():
    with pytest.raises(ConfigError, match="use 3 or more"):
        PolynomialEnvelope(4.0, 2)
    with pytest.raises(ConfigError, match="Unknown envelope 'bump'"):
        make_envelope("bump", 4.0)
