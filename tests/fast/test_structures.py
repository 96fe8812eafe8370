"""The promise of the fast paths where users are: real structures, trained weights and weights of the papers' size.

float32 within 1e-5 eV/atom and 2e-3 eV/A of the eager float64 reference; float64 within 1e-8 of it.
"""

import functools

import pytest
import torch
from ase import Atoms

from sakeff.fast.accelerate import accelerate
from sakeff.fast.build import operators_available
from sakeff.structures import load_structure
from sakeff.types import single_system
from sakeff.zoo import load_potential
from tests.helpers import evaluate, make_potential

needs_compiler = pytest.mark.skipif(not operators_available(), reason="the C++ operators cannot be compiled here")
PATHS = ["torch", pytest.param("native", marks=needs_compiler)]
PAPER_SIZE = {
    "So3krates F=132": {
        "name": "so3krates", "width": 132, "layers": 6, "heads": 4, "degrees": [1, 2, 3], "cutoff": 5.0,
        "basis_size": 32, "filter_width": 128,
    },
    "SAKE F=64": {
        "name": "sake", "width": 64, "layers": 6, "heads": 4, "coefficients": 64, "cutoff": 5.0, "basis_size": 50,
    },
}  # fmt: skip
OPEN = ["riboflavin", "ala10_helix"]
CASES = [(model, name) for model in [*PAPER_SIZE, "so3krates-gfn2", "sake-gfn2"] for name in [*OPEN, "water box"]]
CASES += [("so3krates-nonlocal-gfn2", name) for name in OPEN]


@functools.cache
def potential_of(name):
    return make_potential(PAPER_SIZE[name]) if name in PAPER_SIZE else load_potential(name).double()


def water_box():
    """27 molecules in a periodic box of the density of water, some of them across its faces."""
    molecule = Atoms("OHH", [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]], cell=[3.11] * 3, pbc=True)
    box = molecule.repeat((3, 3, 3))
    box.rattle(0.05, seed=1)
    return box


@functools.cache
def structure(name):
    atoms = water_box() if name == "water box" else load_structure(name)
    arrays = (atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    return single_system(*[torch.tensor(array) for array in arrays])


@functools.cache
def reference(model, name):
    return evaluate(potential_of(model), structure(name))


@pytest.mark.parametrize("kernels", PATHS)
@pytest.mark.parametrize(("model", "name"), CASES)
def test_float32(model, name, kernels):
    fast = accelerate(potential_of(model), kernels, torch.float32).potential
    found, expected = evaluate(fast, structure(name)), reference(model, name)
    assert float((found.energy - expected.energy).abs()) / len(structure(name).numbers) < 1e-5
    assert float((found.forces - expected.forces).abs().max()) < 2e-3


@pytest.mark.parametrize("kernels", PATHS)
@pytest.mark.parametrize(("model", "name"), CASES)
def test_float64(model, name, kernels):
    fast = accelerate(potential_of(model), kernels, torch.float64).potential
    found, expected = evaluate(fast, structure(name)), reference(model, name)
    scale = float(expected.forces.abs().max())
    assert float((found.forces - expected.forces).abs().max()) < 1e-8 * scale
    assert float((found.atomic_energy - expected.atomic_energy).abs().max()) < 1e-8 * scale
