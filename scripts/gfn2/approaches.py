"""Two small molecules that approach each other along a line, from 6 Angstrom to well inside contact.

Random arrangements say how high a wall is; only whole lines say that it rises at every step, by a few meV at its foot.
"""

from __future__ import annotations

import itertools

import numpy as np

from . import curated, geometry, sampling
from .labels import SCFError, energy_and_forces
from .molecules import canonical

FARTHEST, STEP = 6.0, 0.15  # Angstrom, between the centroids
TOP = 6.0  # eV above the first frame, where a line ends
FOOT, PAST = 0.5, 2  # eV, and how many steps a line goes on where GFN2-xTB's own wall falls above that
RIGID = 0.5  # share of the lines whose molecules are at their minima; the atoms of the others are shaken
SHAKEN = 0.03  # Angstrom, standard deviation

Labelled = tuple[np.ndarray, float, np.ndarray]
Part = tuple[np.ndarray, np.ndarray]


def pairs(held_out: set[str]) -> list[str]:
    """SMILES of all pairs of `curated.WALL_PARTNERS` that may be trained on."""
    couples = itertools.combinations_with_replacement(curated.WALL_PARTNERS, 2)
    return [smiles for a, b in couples if (smiles := canonical(f"{a}.{b}")) not in held_out]


def lines(smiles: str, count: int, rng: np.random.Generator) -> tuple[np.ndarray, list[Labelled]]:
    """Atomic numbers of a pair and (positions, energy, forces) along `count` lines of random orientation."""
    first, second = (_minimum(part, rng) for part in smiles.split("."))
    numbers = np.concatenate([first[0], second[0]])
    return numbers, [frame for _ in range(count) for frame in _line(first, second, rng)]


def _minimum(smiles: str, rng: np.random.Generator) -> Part:
    """Atomic numbers and relaxed positions."""
    mol, starts = geometry.embed(smiles, 1, int(rng.integers(2**31 - 1)))
    numbers = geometry.atomic_numbers(mol)
    return numbers, sampling.relaxation(numbers, starts[0])[-1]


def _line(first: Part, second: Part, rng: np.random.Generator) -> list[Labelled]:
    shaken = 0.0 if rng.uniform() < RIGID else SHAKEN
    fixed, moving = (geometry.turned(p + rng.normal(scale=shaken, size=p.shape), rng) for _, p in (first, second))
    numbers = np.concatenate([first[0], second[0]])
    frames: list[Labelled] = []
    past = 0
    for distance in np.arange(FARTHEST - rng.uniform(0.0, STEP), 0.0, -STEP):
        positions = np.concatenate([fixed, moving + [distance, 0.0, 0.0]])
        try:
            energy, forces = energy_and_forces(numbers, positions)
        except SCFError:
            break
        above = energy - frames[0][1] if frames else 0.0
        past += bool(frames) and above > FOOT and energy < frames[-1][1]
        if above > TOP or past > PAST:
            break
        frames.append((positions - positions.mean(axis=0), energy, forces))
    return frames
