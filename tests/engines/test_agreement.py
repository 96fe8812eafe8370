"""The contract of every engine: the numbers of the potential itself, wherever the atoms go.

Potentials with a fast path meet the engines on it; tests/fast compares fast paths with the reference.
"""

import functools
import itertools

import numpy as np
import pytest
import torch

from sakeff.fast.accelerate import fast_form
from tests.contract.architectures import RANDOM, TRAINED, fast_case, random_case, trained_case
from tests.engines.runners import ENGINES
from tests.helpers import atom, ethanol, evaluate, moved, random_numbers, structure, triclinic_box

FLOAT64_RELATIVE = 1e-9
FLOAT32_FORCES = 1e-4  # eV/A
FLOAT32_ENERGY = 1e-4  # eV


def orthorhombic_box():
    """Two shaken ethanols in a box."""
    one, two = ethanol(seed=4), ethanol(seed=5)
    positions = torch.cat([one.positions, two.positions + torch.tensor([0.3, 4.6, 0.2])])
    cell = torch.diag(torch.tensor([6.5, 9.2, 5.8], dtype=torch.float64))
    return structure(torch.cat([one.numbers, two.numbers]), positions, cell, [True] * 3)


STRUCTURES = {"open": ethanol, "orthorhombic": orthorhombic_box, "triclinic": triclinic_box, "one atom": atom}
DTYPES = ("float64", "float32")

# Every architecture meets every engine in each run of the suite. To script all of them for all structures and
# precisions takes minutes, and bundled models are full-size: what these lines leave out is slow.
IN_FULL = ("sake", "so3krates")
IN_BRIEF = {("open", "float64"), ("triclinic", "float64")}


def combination(name, shape, dtype):
    """One parameter set, marked as slow or not."""
    quick = name in IN_FULL or (name in RANDOM and (shape, dtype) in IN_BRIEF)
    return pytest.param(name, shape, dtype, marks=[] if quick else pytest.mark.slow)


COMBINATIONS = [combination(*one) for one in itertools.product(RANDOM + TRAINED, STRUCTURES, DTYPES)]


@functools.cache
def case_of(name):
    """A case and the potential that engines evaluate: the fast path where there is one, here without operators."""
    case = random_case(name) if name in RANDOM else trained_case(name)
    has_fast_path = fast_form(case.potential.representation) is not None
    return case, fast_case(case, "torch").potential if has_fast_path else case.potential


def walk(system):
    """Positions that keep the list, need a new one, are wrapped atom by atom, and come back: enough calls for
    TorchScript to optimise."""
    n_atoms = system.numbers.shape[0]
    start = system.positions
    jumps = (2 * random_numbers(8, n_atoms, 3)).round() @ system.cell[0] * system.pbc[0].any()
    near = start + 0.02 * random_numbers(9, n_atoms, 3)
    far = start + 0.15 * random_numbers(10, n_atoms, 3)
    return [start, near, near + jumps, far, far - jumps, start]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "shape", "dtype"), COMBINATIONS)
def test_engine_gives_the_numbers_of_the_potential(engine, name, shape, dtype, tmp_path):
    (case, evaluated), system = case_of(name), STRUCTURES[shape]()
    if bool(system.pbc.any()) and "periodic" in case.does_not_apply:
        pytest.skip("the potential takes open structures only")
    run = ENGINES[engine](case.potential, system, dtype, tmp_path)
    for positions in walk(system):
        expected = evaluate(evaluated, moved(system, positions))
        energy, forces = run(positions.numpy())
        reference = expected.forces.detach().numpy()
        if dtype == "float64":
            scale = max(1.0, np.abs(reference).max())
            assert abs(energy - float(expected.energy)) <= FLOAT64_RELATIVE * max(1.0, abs(float(expected.energy)))
            np.testing.assert_allclose(forces, reference, rtol=0, atol=FLOAT64_RELATIVE * scale)
        else:
            assert abs(energy - float(expected.energy)) <= FLOAT32_ENERGY
            np.testing.assert_allclose(forces, reference, rtol=0, atol=FLOAT32_FORCES)
