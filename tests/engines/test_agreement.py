"""The contract of every engine: the numbers of the potential itself, wherever the atoms go."""

import functools

import numpy as np
import pytest
import torch

from tests.contract.architectures import TRAINED, random_case, trained_case
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


# One for each kind of program; bundled models are full-size, and scripting them many times takes minutes.
RANDOM = ["sake", "so3krates", "so3krates-nonlocal"]
NAMES = RANDOM + [pytest.param(name, marks=pytest.mark.slow) for name in TRAINED]
STRUCTURES = {"open": ethanol, "orthorhombic": orthorhombic_box, "triclinic": triclinic_box, "one atom": atom}


@functools.cache
def case_of(name):
    return random_case(name) if name in RANDOM else trained_case(name)


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
@pytest.mark.parametrize("shape", STRUCTURES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_engine_gives_the_numbers_of_the_potential(engine, shape, name, dtype, tmp_path):
    case, system = case_of(name), STRUCTURES[shape]()
    if bool(system.pbc.any()) and "periodic" in case.does_not_apply:
        pytest.skip("the potential takes open structures only")
    run = ENGINES[engine](case.potential, system, dtype, tmp_path)
    for positions in walk(system):
        expected = evaluate(case.potential, moved(system, positions))
        energy, forces = run(positions.numpy())
        reference = expected.forces.detach().numpy()
        if dtype == "float64":
            scale = max(1.0, np.abs(reference).max())
            assert abs(energy - float(expected.energy)) <= FLOAT64_RELATIVE * max(1.0, abs(float(expected.energy)))
            np.testing.assert_allclose(forces, reference, rtol=0, atol=FLOAT64_RELATIVE * scale)
        else:
            assert abs(energy - float(expected.energy)) <= FLOAT32_ENERGY
            np.testing.assert_allclose(forces, reference, rtol=0, atol=FLOAT32_FORCES)
