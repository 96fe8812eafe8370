"""The watch: notices numbers that went non-finite and bonds that exploded."""

import numpy as np
from ase import Atoms
from ase.neighborlist import natural_cutoffs, neighbor_list

from sakeff.errors import SimulationError

BOND_TOLERANCE = 1.2  # times the sum of the covalent radii
MAX_STRETCH = 2.0  # a proton that changes its partner stretches its old bond to less than this


def bonds_of(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonded pairs by covalent radii: ``i`` (B,), ``j`` (B,) and whole-cell shifts (B, 3) of j, each bond once."""
    i, j, shift = neighbor_list("ijS", atoms, natural_cutoffs(atoms, mult=BOND_TOLERANCE))
    first = _leading_positive(shift)
    once = (i < j) | ((i == j) & first)
    return i[once], j[once], shift[once]


def _leading_positive(shift: np.ndarray) -> np.ndarray:
    """Whether the first non-zero component of each shift (B, 3) is positive: picks one of S and -S."""
    leading = np.take_along_axis(shift, np.argmax(shift != 0, axis=1)[:, None], axis=1)[:, 0]
    return leading > 0


class Watch:
    """Knows the bonds of the start structure; ``check`` raises SimulationError when a later frame makes no sense."""

    def __init__(self, atoms: Atoms, max_stretch: float = MAX_STRETCH) -> None:
        self.symbols = atoms.get_chemical_symbols()
        self.max_stretch = max_stretch
        self.i, self.j, shift = bonds_of(atoms)
        self.image = shift @ atoms.cell.array
        self.start = self._lengths(atoms.positions)

    def check(self, positions: np.ndarray, potential: float) -> None:
        """Raise SimulationError if positions (N, 3) or energy are not finite, or a bond is too long."""
        if not (np.isfinite(potential) and np.isfinite(positions).all()):
            raise SimulationError("energy or positions became non-finite")
        if len(self.i) == 0:
            return
        lengths = self._lengths(positions)
        worst = int(np.argmax(lengths / self.start))
        if lengths[worst] > self.max_stretch * self.start[worst]:
            i, j = self.i[worst], self.j[worst]
            names = f"{self.symbols[i]}{i}-{self.symbols[j]}{j}"
            raise SimulationError(f"bond {names} exploded from {self.start[worst]:.2f} to {lengths[worst]:.2f} A")

    def _lengths(self, positions: np.ndarray) -> np.ndarray:
        return np.linalg.norm(positions[self.j] + self.image - positions[self.i], axis=1)


def cause(error: Exception) -> str:
    """The first part of a sentence of cause and mend, to be put into another sentence."""
    text = str(error).split(";")[0].strip().rstrip(".")
    return text[:1].lower() + text[1:]
