"""Which bonds broke and which formed in the frames of a simulation."""

import numpy as np
from ase import Atoms

from sakeff.drivers.watch import bonds_of

LARGEST_STRETCH = 1.5  # times the length in the start structure: a longer bond is broken


class Bonds:
    """The bonds of a start structure, and what became of them in frames (F, N, 3)."""

    def __init__(self, start: Atoms) -> None:
        self.start, self.symbols = start, start.get_chemical_symbols()
        self.i, self.j, _ = bonds_of(start)
        self.lengths = self._lengths(start.positions[None])[0]

    def stretch(self, frames: np.ndarray) -> np.ndarray:
        """Largest length of each bond relative to the start, (B,)."""
        return (self._lengths(frames) / self.lengths).max(axis=0)

    def broken(self, frames: np.ndarray) -> list[str]:
        """Names of the bonds that are longer than 1.5 times their start in any frame."""
        return [self._name(self.i[k], self.j[k]) for k in np.flatnonzero(self.stretch(frames) > LARGEST_STRETCH)]

    def formed(self, frames: np.ndarray) -> list[str]:
        """Names of the pairs that are bonded by the criterion of the covalent radii in any frame, and not at first."""
        known, found = set(zip(self.i.tolist(), self.j.tolist(), strict=True)), set()
        moved = self.start.copy()
        for positions in frames:
            moved.positions = positions
            i, j, _ = bonds_of(moved)
            found |= set(zip(i.tolist(), j.tolist(), strict=True)) - known
        return [self._name(*pair) for pair in sorted(found)]

    def _lengths(self, frames: np.ndarray) -> np.ndarray:
        return np.linalg.norm(frames[:, self.j] - frames[:, self.i], axis=2)

    def _name(self, i: int, j: int) -> str:
        return f"{self.symbols[i]}{i}-{self.symbols[j]}{j}"
