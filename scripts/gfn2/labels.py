"""GFN2-xTB through tblite: one cold single point per label, so a label does not depend on what was computed before."""

from __future__ import annotations

import os
from importlib.metadata import version

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before tblite loads: parallelism is over molecules

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed
from tblite.ase import TBLite

METHOD = "GFN2-xTB"
SCFError = CalculationFailed


def level_of_theory() -> str:
    """Method and program version, as it is kept with every label."""
    return f"{METHOD} (tblite {version('tblite')})"


def warm_calculator() -> TBLite:
    """For optimisation and dynamics: each step starts from the last density."""
    return TBLite(method=METHOD, verbosity=0)


def energy_and_forces(numbers: np.ndarray, positions: np.ndarray) -> tuple[float, np.ndarray]:
    """Energy in eV and forces (n, 3) in eV/Angstrom of a neutral closed shell.

    Raises `SCFError` where the charges do not converge.
    """
    atoms = Atoms(numbers, positions, calculator=TBLite(method=METHOD, verbosity=0, cache_api=False))
    return float(atoms.get_potential_energy()), atoms.get_forces()
