"""Short peptides of three and four residues, strands and helices, of up to 55 atoms."""

from __future__ import annotations

import numpy as np
from rdkit import Chem

from . import classical, geometry, sampling
from .sampling import Sample
from .taught import Lesson

RESIDUES = (3, 4)
ALANINE, GLYCINE = "N[C@@H](C)C(=O)", "NCC(=O)"
ACETYL, FORMYL, AMIDE, METHYLAMIDE = "CC(=O)", "C(=O)", "N", "NC"
ACETYLATED, ALANINES, AMIDATED = 0.8, 0.85, 0.6  # shares
HELICES = 0.25  # share of the chains
HELIX = ((-75.0, -45.0), (-60.0, -30.0))  # degrees, phi and psi
ALIKE, SPREAD = 0.6, 8.0  # share of the chains whose residues are alike, and by how many degrees they differ
CLEARED = 15  # steps of the force field that take the clashes out
STEPS = 30  # of the teacher's relaxation
KEPT = (6, 12, 20)  # of its steps, and the last
TURNS, LARGEST = 6, 30.0  # of each relaxed chain, rigid; degrees
ONE, TOGETHER = 0.3, 0.7  # below the first, one rotor is turned; below the second, all by the same angle
SHAKEN = (0.005, 0.04)  # Angstrom, standard deviation: of the turned, and of the relaxed
COPIES = 2  # of the relaxed chain, shaken


def _draw(rng: np.random.Generator) -> str:
    residues = rng.integers(RESIDUES[0], RESIDUES[1] + 1)
    start = ACETYL if rng.uniform() < ACETYLATED else FORMYL
    middle = "".join(ALANINE if rng.uniform() < ALANINES else GLYCINE for _ in range(residues))
    return start + middle + (AMIDE if rng.uniform() < AMIDATED else METHYLAMIDE)


def _folded(mol: Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shape = HELIX if rng.uniform() < HELICES else sampling.STRAND
    alike = rng.uniform() < ALIKE
    for atoms, angles in zip(geometry.backbone(mol), shape, strict=True):
        common = rng.uniform(*angles)
        for dihedral in atoms:
            angle = common + rng.normal(scale=SPREAD) if alike else rng.uniform(*angles)
            positions = geometry.set_dihedral(mol, positions, dihedral, angle)
    return classical.relaxed(mol, positions, CLEARED)


def _around(mol: Chem.Mol, path: list[np.ndarray], rng: np.random.Generator) -> list[Sample]:
    end = path[-1]
    frames = [path[step] for step in KEPT if step < len(path)] + [end]
    frames += [_turned(mol, end, rng) for _ in range(TURNS)]
    frames += [end + rng.normal(scale=SHAKEN[1], size=end.shape) for _ in range(COPIES)]
    return [Sample(frame) for frame in frames]


def _turned(mol: Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    phi, psi = geometry.backbone(mol)
    kind = rng.uniform()
    rotors = (phi, psi, phi + psi)[rng.integers(3)]
    if kind < ONE:
        rotors = [rotors[rng.integers(len(rotors))]]
    common = rng.uniform(-LARGEST, LARGEST)
    for dihedral in rotors:
        angle = common if kind < TOGETHER else rng.uniform(-LARGEST, LARGEST)
        positions = geometry.turn_dihedral(mol, positions, dihedral, angle)
    return positions + rng.normal(scale=SHAKEN[0], size=positions.shape)


PEPTIDES = Lesson(_draw, _folded, STEPS, _around)
