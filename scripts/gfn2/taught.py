"""Molecules larger than those that GFN2-xTB labels here: geometries, relaxed by a trained model that is to label them.

What a chain adds to a residue is learned from a model that learned it from small molecules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.optimize import LBFGS
from rdkit import Chem
from scipy.spatial.distance import pdist

from sakeff.data.frames import Frames

from . import geometry
from .molecules import canonical
from .sampling import Sample

FMAX = 0.03  # eV/Angstrom
CLOSEST = 0.5  # of the van der Waals distance
NEAREST = 0.7  # Angstrom, of any two atoms: a moved hydrogen may run into a third one


@dataclass(frozen=True)
class Lesson:
    """A kind of molecules: what is drawn, where its relaxation starts and how long it is, which frames are kept."""

    draw: Callable[[np.random.Generator], str]  # SMILES
    start: Callable[[Chem.Mol, np.ndarray, np.random.Generator], np.ndarray]  # from an embedded conformer
    steps: int
    around: Callable[[Chem.Mol, list[np.ndarray], np.random.Generator], list[Sample]]  # from the relaxation's path


def frames(lesson: Lesson, count: int, teacher: Calculator, level_of_theory: str, rng: np.random.Generator) -> Frames:
    """Frames about `count` conformers, without labels; `teacher` relaxes them.

    Broken or crowded ones are left out if they are to be intact, and any with two atoms in nearly one place. The group
    is the SMILES of the molecule without stereo marks.
    """
    numbers, positions, groups = [], [], []
    for _ in range(count):
        smiles = lesson.draw(rng)
        mol, conformers = geometry.embed(smiles, 1, int(rng.integers(2**31 - 1)))
        if not conformers:
            continue
        kinds, pairs = geometry.atomic_numbers(mol), geometry.bonds(mol)
        path = _relaxation(kinds, lesson.start(mol, conformers[0], rng), teacher, lesson.steps)
        for one in lesson.around(mol, path, rng):
            if one.intact and not is_sound(kinds, one.positions, pairs):
                continue
            if pdist(one.positions).min() < NEAREST:
                continue
            numbers.append(kinds)
            positions.append(one.positions - one.positions.mean(axis=0))
            groups.append(canonical(smiles))
    unlabelled = [np.zeros_like(p) for p in positions], np.full(len(positions), np.nan)
    return Frames.build(numbers, positions, *unlabelled, level_of_theory, groups=groups)


def is_sound(numbers: np.ndarray, positions: np.ndarray, pairs: np.ndarray) -> bool:
    """Whether all bonds are there, and nothing else is in contact nearer than `CLOSEST`."""
    whole = geometry.keeps_graph(numbers, positions, pairs)
    return whole and geometry.closest_contact(numbers, positions, pairs) > CLOSEST


def _relaxation(numbers: np.ndarray, start: np.ndarray, teacher: Calculator, steps: int) -> list[np.ndarray]:
    atoms, path = Atoms(numbers, start, calculator=teacher), []
    optimiser = LBFGS(atoms, logfile=None, maxstep=0.1)
    optimiser.attach(lambda: path.append(atoms.get_positions()))
    optimiser.run(fmax=FMAX, steps=steps)
    return path
