"""From ASE's ``Atoms`` to OpenMM's topology and box."""

from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from sakeff.drivers.watch import bonds_of
from sakeff.errors import StructureError
from sakeff.units import ANGSTROM_PER_NM


class Box(NamedTuple):
    """OpenMM's box of a structure: ``vectors`` (3, 3) in A, lower triangular and reduced, and ``rotation`` (3, 3).

    ``positions @ rotation.T`` is the structure in that box. An open structure has no vectors.
    """

    vectors: np.ndarray | None
    rotation: np.ndarray


def box_of(atoms: Atoms) -> Box:
    """The box that OpenMM accepts for the same lattice.

    Raises StructureError for partly periodic structures, which OpenMM has not, and for left-handed cells.
    """
    if not atoms.pbc.any():
        return Box(None, np.eye(3))
    if not atoms.pbc.all():
        raise StructureError("OpenMM is periodic in all directions or in none; change pbc or use the ASE engine.")
    if atoms.cell.volume <= 0 or atoms.cell.handedness < 0:
        raise StructureError("OpenMM needs a right-handed cell with a volume; swap two lattice vectors or set a cell.")
    lower, rotation = atoms.cell.standard_form()
    return Box(reduced(lower.array), rotation)


def reduced(vectors: np.ndarray) -> np.ndarray:
    """The same lattice with off-diagonal elements of at most half the diagonal, from lower triangular rows (3, 3)."""
    a, b, c = vectors
    c = c - b * np.round(c[1] / b[1])
    c = c - a * np.round(c[0] / a[0])
    b = b - a * np.round(b[0] / a[0])
    return np.array([a, b, c])


def topology_of(atoms: Atoms) -> Any:
    """An ``openmm.app.Topology``: one residue for each molecule, bonds by covalent radii, the box if there is one."""
    from openmm.app import Element, Topology

    i, j, _ = bonds_of(atoms)
    topology = Topology()
    chain = topology.addChain()
    members: list[Any] = [None] * len(atoms)
    for molecule in molecules(len(atoms), i, j):
        residue = topology.addResidue("MOL", chain)
        for index in molecule:
            element = Element.getByAtomicNumber(int(atoms.numbers[index]))
            members[index] = topology.addAtom(f"{element.symbol}{index + 1}"[:4], element, residue)
    for first, second in zip(i, j, strict=True):
        topology.addBond(members[first], members[second])
    vectors = box_of(atoms).vectors
    if vectors is not None:
        topology.setPeriodicBoxVectors(to_openmm(vectors))
    return topology


def to_openmm(vectors: np.ndarray) -> Any:
    """Box vectors (3, 3) in A as OpenMM's quantity."""
    from openmm import Vec3, unit

    return [Vec3(*(row / ANGSTROM_PER_NM)) for row in vectors] * unit.nanometer


def molecules(n_atoms: int, i: np.ndarray, j: np.ndarray) -> list[list[int]]:
    """Consecutive runs of atoms that no bond leaves; OpenMM numbers atoms residue by residue."""
    last = np.arange(n_atoms)
    for first, second in zip(np.minimum(i, j), np.maximum(i, j), strict=True):
        last[first] = max(last[first], second)
    runs: list[list[int]] = []
    end = -1
    for index in range(n_atoms):
        if index > end:
            runs.append([])
        runs[-1].append(index)
        end = max(end, int(last[index]))
    return runs
