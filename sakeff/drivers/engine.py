"""What the simulation loop needs of an engine, and how a simulation begins."""

from typing import NamedTuple, Protocol

import numpy as np
from ase import Atoms
from ase.md.velocitydistribution import Stationary, thermalize_momenta

from sakeff.errors import StructureError


class Snapshot(NamedTuple):
    """The state of an engine between steps, in ASE's units."""

    positions: np.ndarray  # (N, 3) A
    momenta: np.ndarray  # (N, 3)
    potential: float  # eV
    kinetic: float  # eV
    deviation: np.ndarray | None = None  # (N,) eV/A, of the forces of a committee


class Engine(Protocol):
    """What the loop needs of an engine. Its errors during a run are SimulationError."""

    degrees_of_freedom: int

    def advance(self, steps: int) -> None:
        """Integrate."""

    def snapshot(self) -> Snapshot:
        """The state now."""

    def state(self) -> bytes:
        """All that is needed to continue exactly."""

    def restore(self, state: bytes) -> None:
        """Continue from what ``state`` returned."""


def check_start(atoms: Atoms) -> None:
    """Raise StructureError for what no engine can start from; the model checks elements, charge and overlaps."""
    if len(atoms) == 0:
        raise StructureError("The structure has no atoms; give at least one.")
    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.get_momenta()).all()):
        raise StructureError("The structure has positions or momenta that are not finite; mend it first.")


def thermalise(atoms: Atoms, temperature: float, seed: int) -> Atoms:
    """A copy with Maxwell-Boltzmann momenta at ``temperature`` (K), without net motion, the same for the same seed.

    Momenta that are there already are kept.
    """
    atoms = atoms.copy()
    if atoms.get_momenta().any():
        return atoms
    thermalize_momenta(atoms, temperature, rng=np.random.default_rng(seed))
    if len(atoms) > 1:
        Stationary(atoms, preserve_temperature=False)
    return atoms


def degrees_of_freedom(atoms: Atoms, ensemble: str) -> int:
    """3N, or 3N - 3 where the net momentum stays zero (NVE)."""
    return 3 * len(atoms) - (3 if ensemble == "nve" and len(atoms) > 1 else 0)


def frame_atoms(atoms: Atoms, frame: Snapshot) -> Atoms:
    """A copy of ``atoms`` at a snapshot."""
    moved = atoms.copy()
    moved.positions = frame.positions
    moved.set_momenta(frame.momenta)
    return moved
