"""Cumulenes H2C=(C=)kCH2 as two rigid rotors on a straight chain."""

from dataclasses import dataclass

import numpy as np

HYDROGENS = 4


@dataclass(frozen=True)
class Rotor:
    """A chain that is the same from both ends: lengths in A, the angle H-C-H in degrees.

    `bonds` are the n - 1 distances between neighbouring carbons.
    """

    bonds: tuple[float, ...]
    hydrogen: float
    angle: float

    @property
    def n_carbons(self) -> int:
        """Length of the chain."""
        return len(self.bonds) + 1

    @property
    def numbers(self) -> np.ndarray:
        """Carbons along the chain, then two hydrogens for each end."""
        return np.array([6] * self.n_carbons + [1] * HYDROGENS)

    def positions(self, dihedral: float) -> np.ndarray:
        """(n + 4, 3) in A, centred, the chain along z; `dihedral` H-C-C-H between the ends in degrees."""
        chain = np.concatenate([[0.0], np.cumsum(self.bonds)])
        carbons = np.zeros((self.n_carbons, 3))
        carbons[:, 2] = chain - chain[-1] / 2.0
        return np.concatenate([carbons, self._end(carbons[0], -1.0, 0.0), self._end(carbons[-1], 1.0, dihedral)])

    def _end(self, carbon: np.ndarray, outwards: float, azimuth: float) -> np.ndarray:
        """Two hydrogens, opposite each other about the chain, the first at `azimuth` degrees."""
        half, turn = np.radians(self.angle / 2.0), np.radians(azimuth)
        across = self.hydrogen * np.sin(half) * np.array([np.cos(turn), np.sin(turn), 0.0])
        along = np.array([0.0, 0.0, outwards * self.hydrogen * np.cos(half)])
        return np.stack([carbon + along + across, carbon + along - across])


def ideal_rotor(n_carbons: int) -> Rotor:
    """Textbook lengths and angle: where an optimisation starts."""
    return Rotor((1.29,) * (n_carbons - 1), 1.09, 117.0)


def name_of(n_carbons: int) -> str:
    """Formula, for example C5H4."""
    return f"C{n_carbons}H{HYDROGENS}"


def dihedral(positions: np.ndarray) -> float:
    """Angle H-C-C-H in degrees, 0 to 180, of the first hydrogen at either end; positions ordered as in `Rotor`."""
    n = len(positions) - HYDROGENS
    axis = positions[n - 1] - positions[0]
    axis = axis / np.linalg.norm(axis)
    near, far = positions[n] - positions[0], positions[n + 2] - positions[n - 1]
    near, far = (arm - (arm @ axis) * axis for arm in (near, far))
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(near, far)), near @ far)))
