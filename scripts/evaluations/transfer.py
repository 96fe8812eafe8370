"""The hydrogen of a bridge X-H...Y on its way from X to Y: what a model asks for it decides whether bonds last."""

from typing import Any

import numpy as np
from ase import Atoms

BOND = 1.0  # A, between the hydrogen and either end of the way
POINTS = 9


def way(atoms: Atoms, bridge: tuple[int, int, int]) -> list[Atoms]:
    """Copies with the hydrogen of the bridge (X, H, Y) on the line X...Y, from 1 A of X to 1 A of Y; the rest stays."""
    donor, hydrogen, acceptor = bridge
    axis = atoms.positions[acceptor] - atoms.positions[donor]
    length = np.linalg.norm(axis)
    copies = []
    for distance in np.linspace(BOND, length - BOND, POINTS):
        moved = atoms.copy()
        moved.positions[hydrogen] = atoms.positions[donor] + distance / length * axis
        copies.append(moved)
    return copies


def energies_along(atoms: Atoms, bridge: tuple[int, int, int], calculator: Any) -> np.ndarray:
    """Energies (POINTS,) in eV along the way."""
    energies = []
    for one in way(atoms, bridge):
        one.calc = calculator
        energies.append(one.get_potential_energy())
    return np.array(energies)


def barrier(energies: np.ndarray) -> float:
    """The highest energy of the way above its beginning, eV."""
    return float((energies - energies[0]).max())
