"""Two small molecules that approach each other along a line, from 6 Angstrom to well inside contact.

Random arrangements say how high a wall is; only whole lines say that it rises at every step, by a few meV at its foot.
"""

from __future__ import annotations

import itertools

import numpy as np

from sakeff.errors import DataError

from . import curated, geometry, sampling
from .molecules import canonical
from .sampling import Sample

FARTHEST, STEP = 6.0, 0.15  # Angstrom, between the centroids
TOP = 6.0  # eV above the first frame, where a line ends
FOOT, PAST = 0.5, 2  # eV, and how many steps a line goes on where GFN2-xTB's own wall falls above that
RIGID = 0.5  # share of the lines whose molecules are at their minima; the atoms of the others are shaken
SHAKEN = 0.03  # Angstrom, standard deviation

Labelled = tuple[np.ndarray, float, np.ndarray]
NO_PAIRS = np.zeros((0, 2), int)  # of bonds that must hold


def pairs(held_out: set[str]) -> list[str]:
    """SMILES of all pairs of `curated.WALL_PARTNERS` that may be trained on."""
    couples = itertools.combinations_with_replacement(curated.WALL_PARTNERS, 2)
    return [smiles for a, b in couples if (smiles := canonical(f"{a}.{b}")) not in held_out]


def lines(smiles: str, count: int, max_force: float, rng: np.random.Generator) -> tuple[np.ndarray, list[Labelled]]:
    """Atomic numbers of a pair and (positions, energy, forces) along `count` lines of random orientation."""
    first, second = (sampling.relaxed_part(part, rng) for part in smiles.split("."))
    if first is None or second is None:
        raise DataError(f"{smiles} has a part that GFN2-xTB does not relax.")
    numbers = np.concatenate([first[0], second[0]])
    return numbers, [frame for _ in range(count) for frame in _line(numbers, first[1], second[1], max_force, rng)]


def _line(
    numbers: np.ndarray, first: np.ndarray, second: np.ndarray, max_force: float, rng: np.random.Generator
) -> list[Labelled]:
    shaken = 0.0 if rng.uniform() < RIGID else SHAKEN
    fixed, moving = (geometry.turned(p + rng.normal(scale=shaken, size=p.shape), rng) for p in (first, second))
    frames: list[Labelled] = []
    past = 0
    for distance in np.arange(FARTHEST - rng.uniform(0.0, STEP), 0.0, -STEP):
        placed = Sample(np.concatenate([fixed, moving + [distance, 0.0, 0.0]]), intact=False)
        kept, _ = sampling.labelled(numbers, NO_PAIRS, [placed], max_force)
        if not kept:
            break
        energy = kept[0][1]
        above = energy - frames[0][1] if frames else 0.0
        past += bool(frames) and above > FOOT and energy < frames[-1][1]
        if above > TOP or past > PAST:
            break
        frames += kept
    return frames
