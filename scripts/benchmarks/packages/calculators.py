"""Shared by the packages that come with an ASE calculator."""

from typing import Callable

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from benchmarks.structure import Structure


def to_atoms(structure: Structure) -> Atoms:
    """The structure for ASE, neutral and without unpaired electrons."""
    atoms = Atoms(structure.numbers, structure.positions, cell=structure.cell, pbc=structure.periodic)
    atoms.info["charge"] = 0.0
    return atoms


def calculator_evaluator(calculator: Calculator, atoms: Atoms) -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A) as an ASE integrator asks for them; the energy comes with them."""
    atoms.calc = calculator

    def forces(positions: np.ndarray) -> np.ndarray:
        atoms.positions = positions
        return atoms.get_forces()

    return forces
