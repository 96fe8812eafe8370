"""The potentials under contract, each built once."""

import functools

import pytest

from sakeff.fast.build import operators_available
from tests.contract.architectures import FAST, RANDOM, TRAINED, TRAINED_FAST, fast_case, random_case, trained_case


@functools.cache
def _case(kind, name):
    if kind in ("torch", "native"):
        return fast_case(_case("random" if name in RANDOM else "trained", name), kind)
    return random_case(name) if kind == "random" else trained_case(name)


needs_compiler = pytest.mark.skipif(not operators_available(), reason="the C++ operators cannot be compiled here")
ALL = [
    *[("random", name) for name in RANDOM],
    *[("trained", name) for name in TRAINED],
    *[("torch", name) for name in FAST],
    *[pytest.param(("native", name), marks=needs_compiler) for name in FAST + TRAINED_FAST],
]


@pytest.fixture(params=ALL, ids=lambda param: "-".join(param))
def case(request):
    """Architectures with random weights, bundled models and their fast paths, in float64 and evaluation mode."""
    return _case(*request.param)


@pytest.fixture(params=RANDOM)
def random_potential(request):
    """Every architecture with random weights."""
    return _case("random", request.param).potential


@pytest.fixture(autouse=True)
def _applies(request):
    """Skip what a case declares not to apply: ``@pytest.mark.contract("periodic")``."""
    marker = request.node.get_closest_marker("contract")
    if marker and marker.args[0] in request.getfixturevalue("case").does_not_apply:
        pytest.skip(f"the architecture declares that {marker.args[0]!r} does not apply")
