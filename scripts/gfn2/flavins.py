"""Relatives of riboflavin with a shorter chain, of up to 43 atoms."""

from __future__ import annotations

import numpy as np
from rdkit import Chem

from . import classical, geometry
from .molecules import canonical
from .taught import Lesson

CORES = ("Cc1cc2nc3c(=O)[nH]c(=O)nc-3n({})c2cc1C", "c1ccc2c(c1)nc1c(=O)[nH]c(=O)nc-1n2{}")
CHAINS = ("C", "CCO", "CCCO", "CC(O)C", "CC(O)CO", "CCC(O)CO", "CC(O)C(C)O", "CC(O)CCO", "CC(O)C(O)CO")
STEPS = 50  # of the teacher's relaxation
KEPT = (5, 10, 20, 35)  # of its steps, and the last
TURNS, LARGEST = 4, np.radians(30.0)  # of each relaxed molecule, every rotor
SHAKEN = (0.01, 0.05)  # Angstrom, standard deviation: of the turned, and of the relaxed
COPIES = 3  # of the relaxed molecule, shaken


def _draw(rng: np.random.Generator) -> str:
    every = [core.format(chain) for core in CORES for chain in CHAINS]
    return canonical(every[rng.integers(len(every))])


def _start(mol: Chem.Mol, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    return classical.relaxed(mol, positions)


def _around(mol: Chem.Mol, path: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    end = path[-1]
    frames = [path[step] for step in KEPT if step < len(path)] + [end]
    for _ in range(TURNS):
        turned = end
        for rotor in geometry.rotor_bonds(mol):
            turned = geometry.turn(mol, turned, rotor, rng.uniform(-LARGEST, LARGEST))
        frames.append(turned + rng.normal(scale=SHAKEN[0], size=end.shape))
    return frames + [end + rng.normal(scale=SHAKEN[1], size=end.shape) for _ in range(COPIES)]


RELATIVES = Lesson(_draw, _start, STEPS, _around)
