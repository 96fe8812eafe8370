"""Stretched backbones of peptide residues, shortly relaxed, and rigid turns about them.

What a turn of phi or psi costs there is little, and small errors of it add up along a chain. The softest turn is that
of phi one way and psi the other.
"""

from __future__ import annotations

import numpy as np

from . import classical, geometry, sampling
from .sampling import Sample

CONFORMERS = 8
CLEARED = 15  # steps of the force field that take the clashes out
STEPS = 14  # of the relaxation with GFN2-xTB
KEPT = (5, 9)  # of them, and the last
TURNS = 5  # of each relaxed strand, at random
OPPOSITE = 7  # more of them, every phi one way and every psi the other
RATIO = (0.2, 1.0)  # of psi's angle there, to phi's
LARGEST = 30.0  # degrees
ALL = 0.5  # share of the turns that turn every phi and psi; the others turn one
SHAKEN = 0.005  # Angstrom, standard deviation


def sample(smiles: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Atomic numbers, bonded pairs and the samples of `count` strands of a peptide."""
    mol, starts = geometry.embed(smiles, CONFORMERS, int(rng.integers(2**31 - 1)))
    numbers = geometry.atomic_numbers(mol)
    samples: list[Sample] = []
    for _ in range(count):
        path = sampling.relaxation(numbers, _stretched(mol, starts[rng.integers(len(starts))], rng), STEPS)
        if path:
            samples += [Sample(path[step]) for step in KEPT if step < len(path)]
            samples += [Sample(path[-1]), *(Sample(_turned(mol, path[-1], rng)) for _ in range(TURNS))]
            samples += [Sample(_opposite(mol, path[-1], rng)) for _ in range(OPPOSITE)]
    return numbers, geometry.bonds(mol), samples


def _stretched(mol: geometry.Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for atoms, angles in zip(geometry.backbone(mol), sampling.STRAND, strict=True):
        for dihedral in atoms:
            positions = geometry.set_dihedral(mol, positions, dihedral, rng.uniform(*angles))
    return classical.relaxed(mol, positions, CLEARED)


def _turned(mol: geometry.Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    phi, psi = geometry.backbone(mol)
    rotors = phi + psi
    chosen = rotors if rng.uniform() < ALL else [rotors[rng.integers(len(rotors))]]
    for dihedral in chosen:
        positions = geometry.turn_dihedral(mol, positions, dihedral, rng.uniform(-LARGEST, LARGEST))
    return positions + rng.normal(scale=SHAKEN, size=positions.shape)


def _opposite(mol: geometry.Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(-LARGEST, LARGEST)
    for rotors, turn in zip(geometry.backbone(mol), (angle, -rng.uniform(*RATIO) * angle), strict=True):
        for dihedral in rotors:
            positions = geometry.turn_dihedral(mol, positions, dihedral, turn)
    return positions + rng.normal(scale=SHAKEN, size=positions.shape)
