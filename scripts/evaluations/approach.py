"""Two rigid molecules that approach each other: energies, contact distance, and what can be wrong with them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ase import Atoms

from sakeff.errors import DataError

REPULSIVE = 0.1  # eV: contact of molecules that never attract each other
HOLE = 0.05  # eV below twice the depth of the reference's well
JUMP = 1e-5  # eV/A^2, of the slope of the force
FINEST = 1e-7  # A, spacing at which a search for jumps ends; rounding would drown them further down
WINDOW, OVERLAP = 21, 4  # points: in a window of its own, a small jump far out is seen beside the steep wall

Force = Callable[[np.ndarray], np.ndarray]


class Approach:
    """Interaction energy and force of two molecules, centres of mass at the origin and on the x axis.

    ``E(r) = E(both) - E(first) - E(second)`` in eV and ``F(r) = -dE/dr`` in eV/A, at centre distances r in A.
    """

    def __init__(self, first: Atoms, second: Atoms, calculator: Any) -> None:
        self.first, self.second, self.calculator = first, second, calculator
        self.apart = sum(self._evaluate(one)[0] for one in (first, second))

    def __call__(self, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Energies (P,) and forces (P,)."""
        results = [self._evaluate(dimer(self.first, self.second, distance)) for distance in distances]
        energies = np.array([energy - self.apart for energy, _ in results])
        return energies, np.array([forces[len(self.first) :, 0].sum() for _, forces in results])

    def force(self, distances: np.ndarray) -> np.ndarray:
        """Forces (P,) alone."""
        return self(distances)[1]

    def _evaluate(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        atoms = atoms.copy()
        atoms.calc = self.calculator
        return atoms.get_potential_energy(), atoms.get_forces()


def dimer(first: Atoms, second: Atoms, distance: float) -> Atoms:
    """Both molecules, the second shifted along x."""
    moved = second.copy()
    moved.positions[:, 0] += distance
    return first + moved


def contact_distance(distances: np.ndarray, energies: np.ndarray) -> float:
    """Where the wall begins (A): the energy crosses zero or, without a well, passes 0.1 eV. Distances descend.

    Followed outwards from the innermost point. Raises DataError if the scan does not reach into the wall.
    """
    if energies[-1] <= REPULSIVE:
        raise DataError(f"A scan ends at {energies[-1]:.3f} eV, outside contact; scan further inwards.")
    outwards, levels = distances[::-1], energies[::-1]
    for level in (0.0, REPULSIVE):
        below = np.flatnonzero(levels <= level)
        if len(below):
            k = below[0]
            part = (levels[k - 1] - level) / (levels[k - 1] - levels[k])
            return float(outwards[k - 1] + part * (outwards[k] - outwards[k - 1]))
    raise DataError(f"A scan begins at {energies[0]:.3f} eV, inside contact; scan further outwards.")


def has_hole(energies: np.ndarray, reference: np.ndarray) -> bool:
    """Whether the lowest energy is below twice the reference's by more than 50 meV."""
    return bool(energies.min() < 2.0 * min(reference.min(), 0.0) - HOLE)


def largest_fall(distances: np.ndarray, energies: np.ndarray, contact: float) -> float:
    """How far (eV) the energy falls at most on the way inwards from ``contact``; 0 for a monotone wall."""
    wall = energies[distances <= contact]
    return float((np.maximum.accumulate(wall) - wall).max(initial=0.0))


def attraction_error(
    distances: np.ndarray, energies: np.ndarray, reference: np.ndarray, contact: float
) -> float | None:
    """Root mean square difference (eV) outside contact where the reference attracts; None if it nowhere does."""
    attractive = (distances >= contact) & (reference < 0.0)
    difference = (energies - reference)[attractive]
    return float(np.sqrt((difference**2).mean())) if len(difference) else None


def largest_jump(force: Force, grid: np.ndarray, forces: np.ndarray) -> tuple[float, float]:
    """The largest jump (eV/A^2) of the slope of ``force`` on an even ``grid`` (P,), and where it is (A).

    A jump stands out of the differences of neighbouring slopes as a spike, between a quarter and all of its size. The
    highest spike of each half Angstrom is refined fourfold until it is below 1e-5 eV/A^2, as it becomes where the slope
    is continuous, or until the spacing is 1e-7 A. A jump of the force itself grows on the way.
    """
    starts = range(0, max(len(grid) - OVERLAP, 1), WINDOW - OVERLAP)
    windows = [slice(start, start + WINDOW) for start in starts]
    return max(_refined(force, grid[part], forces[part]) for part in windows if len(grid[part]) > OVERLAP)


def _refined(force: Force, grid: np.ndarray, forces: np.ndarray) -> tuple[float, float]:
    while True:
        steps = np.diff(np.diff(forces) / np.diff(grid))
        spikes = np.abs(steps[1:-1] - 0.5 * (steps[:-2] + steps[2:]))
        k = int(np.nan_to_num(spikes, nan=np.inf).argmax())
        size, where = float(spikes[k]), float(grid[k + 2])
        if size < JUMP or abs(grid[1] - grid[0]) <= FINEST:
            return size, where
        grid = np.linspace(grid[k], grid[k + 4], 17)
        forces = force(grid)
