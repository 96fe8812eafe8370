"""GFN2-xTB frames of cumulenes: rotors relaxed at their minimum, turned, shaken, labelled.

tblite fills orbitals at its default electronic temperature of 300 K, which rounds the cusp where HOMO and LUMO cross.
"""

from collections.abc import Iterable

import numpy as np
from gfn2.labels import energy_and_forces, level_of_theory
from scipy.optimize import minimize

from rotors.geometry import Rotor, ideal_rotor, name_of
from sakeff.data.frames import Frames

MINIMUM = 90.0  # degrees: with an odd number of carbons the ends are perpendicular (D2d)
STEP = 1e-5  # A and degrees, of the derivative of positions, which are smooth in them


def relaxed_rotor(n_carbons: int, angle: float = MINIMUM) -> Rotor:
    """Lengths and angle of least energy at a fixed dihedral; D2 symmetry leaves no other coordinate but the twist."""
    start = ideal_rotor(n_carbons)

    def energy_and_slope(values: np.ndarray) -> tuple[float, np.ndarray]:
        energy, forces = energy_and_forces(start.numbers, _from_values(values, n_carbons).positions(angle))
        moves = [_derivative(values, k, n_carbons, angle) for k in range(len(values))]
        return energy, np.array([-np.sum(forces * move) for move in moves])

    found = minimize(energy_and_slope, _to_values(start), jac=True, method="BFGS", options={"gtol": 1e-3})
    return _from_values(found.x, n_carbons)


def _to_values(rotor: Rotor) -> np.ndarray:
    """Half the bonds, the C-H length, and the angle in units of 100 degrees, to be as stiff as the lengths."""
    return np.array([*rotor.bonds[: (rotor.n_carbons) // 2], rotor.hydrogen, rotor.angle / 100.0])


def _from_values(values: np.ndarray, n_carbons: int) -> Rotor:
    half = [float(bond) for bond in values[:-2]]
    bonds = [*half, *half[::-1][n_carbons % 2 == 0 :]]
    return Rotor(tuple(bonds), float(values[-2]), 100.0 * float(values[-1]))


def _derivative(values: np.ndarray, k: int, n_carbons: int, angle: float) -> np.ndarray:
    """Of the positions by value k, central differences."""
    step = np.zeros_like(values)
    step[k] = STEP
    ahead, behind = (_from_values(values + sign * step, n_carbons).positions(angle) for sign in (1.0, -1.0))
    return (ahead - behind) / (2.0 * STEP)


def scan(rotor: Rotor, angles: Iterable[float]) -> list[np.ndarray]:
    """The rigid rotor at each angle."""
    return [rotor.positions(angle) for angle in angles]


def shaken(positions: Iterable[np.ndarray], noise: float, copies: int, rng: np.random.Generator) -> list[np.ndarray]:
    """`copies` of each geometry with normal noise (standard deviation in A) on every coordinate."""
    return [one + rng.normal(scale=noise, size=one.shape) for one in positions for _ in range(copies)]


def labelled(rotor: Rotor, positions: list[np.ndarray]) -> Frames:
    """Energies and forces of one molecule's geometries."""
    labels = [energy_and_forces(rotor.numbers, one) for one in positions]
    energies, forces = zip(*labels, strict=True)
    numbers = [rotor.numbers] * len(positions)
    return Frames.build(numbers, positions, forces, energies, level_of_theory(), groups=name_of(rotor.n_carbons))
