"""The potentials under contract, each built once."""

import functools

import pytest

from tests.contract.architectures import RANDOM, TRAINED, random_case, trained_case


@functools.cache
def _case(kind, name):
    return random_case(name) if kind == "random" else trained_case(name)


ALL = [("random", name) for name in RANDOM] + [("trained", name) for name in TRAINED]


@pytest.fixture(params=ALL, ids="-".join)
def case(request):
    """Every architecture with random weights and every bundled model, in float64 and evaluation mode."""
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
