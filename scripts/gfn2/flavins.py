"""Relatives of riboflavin with a shorter chain, of up to 43 atoms.

With what it costs that a proton of the chain goes over to the ring: a model that thinks it cheap breaks bonds at 500 K.
"""

from __future__ import annotations

import numpy as np
from rdkit import Chem

from . import classical, geometry, sampling, taught
from .molecules import canonical
from .sampling import Sample
from .taught import Lesson

CORES = ("Cc1cc2nc3c(=O)[nH]c(=O)nc-3n({})c2cc1C", "c1ccc2c(c1)nc1c(=O)[nH]c(=O)nc-1n2{}")
CHAINS = ("C", "CCO", "CCCO", "CC(O)C", "CC(O)CO", "CCC(O)CO", "CC(O)C(C)O", "CC(O)CCO", "CC(O)C(O)CO")
BRIDGED = 0.6  # share of the starts with a bridge of any hydroxyl to the ring; few of those that are drawn have one
HYDROXYL, NEAR_CHAIN = "[#1]O", "[#7X2]~[#6]~[#7]-[CX4]"  # H, and the nitrogen of the ring beside that of the chain
PULLED = 1.9  # Angstrom, H...N
STEPS = 50  # of the teacher's relaxation
KEPT = (5, 10, 20, 35)  # of its steps, and the last
TURNS, LARGEST = 4, np.radians(30.0)  # of each relaxed molecule, every rotor
SHAKEN = (0.01, 0.05)  # Angstrom, standard deviation: of the turned, and of the relaxed
COPIES = 3  # of the relaxed molecule, shaken
BENT = 12  # turned as well, so that bridges are longer or shorter than those of minima
BRIDGES = 18  # of these and all but the turned, the hydrogen of a bridge moved, if there is a bridge


def _draw(rng: np.random.Generator) -> str:
    every = [core.format(chain) for core in CORES for chain in CHAINS]
    return canonical(every[rng.integers(len(every))])


def _start(mol: Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    bridges = [(h, n) for h in _first(mol, HYDROXYL) for n in _first(mol, NEAR_CHAIN)]
    if bridges and rng.uniform() < BRIDGED:
        return classical.pulled_together(mol, positions, bridges[rng.integers(len(bridges))], PULLED)
    return classical.relaxed(mol, positions)


def _first(mol: Chem.Mol, pattern: str) -> list[int]:
    return sorted({match[0] for match in mol.GetSubstructMatches(Chem.MolFromSmarts(pattern))})


def _around(mol: Chem.Mol, path: list[np.ndarray], rng: np.random.Generator) -> list[Sample]:
    end = path[-1]
    frames = [path[step] for step in KEPT if step < len(path)] + [end]
    frames += [end + rng.normal(scale=SHAKEN[1], size=end.shape) for _ in range(COPIES)]
    numbers, pairs = geometry.atomic_numbers(mol), geometry.bonds(mol)
    bent = [p for p in (_turned(mol, end, rng) for _ in range(BENT)) if taught.is_sound(numbers, p, pairs)]
    bridged = sampling.bridge_samples(numbers, frames + bent, pairs, BRIDGES, rng)
    frames += [_turned(mol, end, rng) for _ in range(TURNS)]
    return [*map(Sample, frames), *(Sample(p, intact=False) for p in bridged)]


def _turned(mol: Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    for rotor in geometry.rotor_bonds(mol):
        positions = geometry.turn(mol, positions, rotor, rng.uniform(-LARGEST, LARGEST))
    return positions + rng.normal(scale=SHAKEN[0], size=positions.shape)


RELATIVES = Lesson(_draw, _start, STEPS, _around)
