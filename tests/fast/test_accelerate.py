"""Fast paths against the potential they come from, and the operators against their torch twins."""

import copy

import pytest
import torch

from sakeff.errors import ConfigError, OperatorsUnavailableError
from sakeff.fast import build
from sakeff.fast.accelerate import KERNELS, accelerate
from sakeff.fast.build import operators_available
from sakeff.fast.so3krates import half_of
from sakeff.types import join_systems
from tests.contract.architectures import ARCHITECTURES, FAST, SAKE, SO3KRATES, random_case
from tests.helpers import atom, ethanol, evaluate, make_potential, random_numbers, structure, triclinic_box

needs_compiler = pytest.mark.skipif(not operators_available(), reason="the C++ operators cannot be compiled here")
PATHS = ["torch", pytest.param("native", marks=needs_compiler)]


def crowd(n=90, spacing=1.5):
    """Enough atoms for several blocks and threads."""
    grid = torch.cartesian_prod(*[torch.arange(5, dtype=torch.float64)] * 3)[:n]
    return structure([(1, 6, 7, 8)[i % 4] for i in range(n)], spacing * grid + 0.2 * random_numbers(3, n, 3))


STRUCTURES = [(name, make) for name in FAST for make in (ethanol, atom, crowd)]
STRUCTURES += [(name, triclinic_box) for name in FAST if "nonlocal" not in name]  # which takes open structures alone


def relative(one, two):
    return float((one - two).abs().max() / two.abs().max().clamp(min=1.0))


@pytest.mark.parametrize("kernels", PATHS)
@pytest.mark.parametrize(("name", "make"), STRUCTURES)
def test_float64_equals_the_reference(name, make, kernels):
    """1e-8 where radial functions are tabulated (So3krates), rounding where nothing is (SAKE)."""
    potential, system = random_case(name).potential, make()
    fast = accelerate(potential, kernels, torch.float64).potential
    expected, found = evaluate(potential, system), evaluate(fast, system)
    tolerance = 1e-11 if name == "sake" else 1e-8
    assert relative(found.forces, expected.forces) < tolerance
    assert relative(found.atomic_energy, expected.atomic_energy) < tolerance


@pytest.mark.parametrize("kernels", PATHS)
@pytest.mark.parametrize("name", FAST)
def test_float32_is_within_the_promise(name, kernels):
    """1e-5 eV per atom and 2e-3 eV/A from the float64 reference."""
    potential, system = random_case(name).potential, crowd()
    fast = accelerate(potential, kernels, torch.float32).potential
    expected, found = evaluate(potential, system), evaluate(fast, system)
    scale = max(1.0, float(expected.forces.abs().max()) / 10.0)
    assert float((found.energy - expected.energy).abs().max()) / 90 < 1e-5 * scale
    assert float((found.forces - expected.forces).abs().max()) < 2e-3 * scale


@needs_compiler
@pytest.mark.parametrize("name", FAST)
def test_operators_equal_their_twins(name):
    potential, system = random_case(name).potential, crowd()
    twin = evaluate(accelerate(potential, "torch", torch.float64).potential, system)
    native = evaluate(accelerate(potential, "native", torch.float64).potential, system)
    assert relative(native.forces, twin.forces) < 1e-11
    assert relative(native.atomic_energy, twin.atomic_energy) < 1e-12


@pytest.mark.parametrize("kernels", PATHS)
def test_only_pairs_with_a_weight_are_visited_by_the_nonlocal_correction(kernels):
    """In a crowd most weights are exactly zero; structures of a batch do not see each other."""
    potential, alone, second = random_case("so3krates-nonlocal").potential, crowd(60), ethanol()
    fast = accelerate(potential, kernels, torch.float64).potential
    visited = []
    geometry = fast.representation.layers[-1].far[0].geometry
    geometry.register_forward_pre_hook(lambda _, inputs: visited.append(len(inputs[0])))
    found = evaluate(fast, alone)
    assert 0 < visited[-1] < 0.6 * 60 * 59
    both = evaluate(fast, join_systems([alone, second]))
    assert relative(both.forces[:60], found.forces) < 1e-11
    assert relative(both.forces[60:], evaluate(fast, second).forces) < 1e-11


@needs_compiler
@pytest.mark.parametrize("filters", [["radial"], ["spherical"]])
def test_a_single_filter(filters):
    potential, system = make_potential({**SO3KRATES, "filters": filters}), crowd()
    for kernels in ("torch", "native"):
        fast = accelerate(potential, kernels, torch.float64).potential
        assert relative(evaluate(fast, system).forces, evaluate(potential, system).forces) < 1e-8


@needs_compiler
@pytest.mark.parametrize("degrees", [[1], [0, 1, 2], [1, 2, 3, 4]])
def test_other_degrees(degrees):
    potential = make_potential({**SO3KRATES, "degrees": degrees, "heads": 2, "width": 12 * len(degrees)})
    fast = accelerate(potential, "native", torch.float64).potential
    assert relative(evaluate(fast, crowd()).forces, evaluate(potential, crowd()).forces) < 1e-8


@needs_compiler
@pytest.mark.parametrize("representation", [SAKE, SO3KRATES])
def test_threads_do_not_matter(representation):
    potential = accelerate(make_potential(representation), "native", torch.float64).potential
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(evaluate(potential, crowd()).forces)
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=1e-13)


def test_the_potential_itself_is_left_alone():
    potential = make_potential(SO3KRATES)
    before = copy.deepcopy(potential.state_dict())
    accelerate(potential, "torch", torch.float32)
    assert all(torch.equal(value, before[name]) for name, value in potential.state_dict().items())
    assert all(parameter.requires_grad for parameter in potential.parameters())


def test_architectures_without_a_fast_path_stay_as_they_are():
    potential = make_potential(ARCHITECTURES["sinet"].representation)
    made = accelerate(potential, "auto", torch.float64)
    assert made.kernels == "reference"
    assert "no fast path" in made.reason
    with pytest.raises(ConfigError, match="no fast path"):
        accelerate(potential, "native", torch.float64)
    literal = make_potential({**SAKE, "normalisation": "literal"})
    assert accelerate(literal, "auto", torch.float64).kernels == "reference"


def test_a_literal_envelope_stays_as_it_is():
    """Its curvature jumps at the cutoff, so that no table converges."""
    potential = make_potential({**SO3KRATES, "envelope": "cosine"})
    assert accelerate(potential, "auto", torch.float64).kernels == "reference"


@needs_compiler
@pytest.mark.parametrize("representation", [SAKE, SO3KRATES])
def test_second_derivatives_are_refused(representation):
    """In training mode a prediction keeps its graph; operators have none to offer."""
    fast = accelerate(make_potential(representation), "native", torch.float64).potential.train()
    with pytest.raises(RuntimeError, match="differentiated only once"):
        evaluate(fast, ethanol())


def test_unknown_kernels():
    with pytest.raises(ConfigError, match="warp") as error:
        accelerate(make_potential(SAKE), "warp", torch.float64)
    assert all(name in str(error.value) for name in KERNELS)


def test_without_a_compiler_the_twin_runs(monkeypatch, tmp_path):
    monkeypatch.setenv(build.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(build, "FLAGS", ["-fno-such-flag"])
    build.try_operators.cache_clear()
    try:
        made = accelerate(make_potential(SAKE), "auto", torch.float64)
        assert made.kernels == "torch"
        assert "cannot be made here" in made.reason
        with pytest.raises(OperatorsUnavailableError, match=r"g\+\+"):
            accelerate(make_potential(SAKE), "native", torch.float64)
    finally:
        build.try_operators.cache_clear()


def test_half_of_the_edges():
    """One of each pair, in order; padding edges, their own reverse wherever they are, take the places that are left."""
    assert half_of(torch.tensor([1, 0, 3, 2])).tolist() == [0, 2]
    assert half_of(torch.tensor([2, 1, 0, 3, 4])).tolist() == [0, 1]
    assert half_of(torch.tensor([0, 1])).tolist() == [0]
    assert half_of(torch.tensor([], dtype=torch.int64)).tolist() == []
