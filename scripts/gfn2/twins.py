"""Equal molecules apart from each other: what a non-local model must see of alike atoms that do not touch."""

from __future__ import annotations

import numpy as np

from sakeff.data.frames import Frames

from . import geometry
from .molecules import MAX_ATOMS, canonical

GAPS = (2.5, 9.0)  # Angstrom, between the closest atoms of a copy and of those before it
SHAKEN = 0.02  # Angstrom, standard deviation
EQUAL = 0.5  # share of the copies that have the geometry of the first, but for the shaking


def twins(train: Frames, held_out: set[str], count: int, rng: np.random.Generator) -> Frames:
    """Two to four copies of a training molecule, at most 23 atoms together, `count` times; without labels.

    Copies are frames of the molecule or the first one shaken, turned at random and put well out of contact. The group
    is the SMILES of the complex; none is held out. Every molecule is as likely as any other.
    """
    conformations = {str(name): _frames(train, name) for name in train.group_names if "." not in name}
    small = sorted(name for name, (numbers, _) in conformations.items() if 2 * len(numbers) <= MAX_ATOMS)
    numbers, positions, groups = [], [], []
    while len(groups) < count:
        name = small[rng.integers(len(small))]
        kinds, choices = conformations[name]
        copies = int(rng.integers(2, min(4, MAX_ATOMS // len(kinds)) + 1))
        smiles = canonical(".".join([name] * copies))
        if smiles in held_out:
            continue
        numbers.append(np.tile(kinds, copies))
        positions.append(_apart(kinds, choices, copies, rng))
        groups.append(smiles)
    unlabelled = [np.zeros_like(p) for p in positions], np.full(count, np.nan)
    return Frames.build(numbers, positions, *unlabelled, train.level_of_theory, groups=groups)


def _frames(train: Frames, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers (n,) of a molecule and the positions (F, n, 3) of its frames."""
    frames = train.select(np.flatnonzero(train.groups == name))
    return frames.frame(0).numbers, frames.positions.reshape(len(frames), -1, 3)


def _apart(kinds: np.ndarray, choices: np.ndarray, copies: int, rng: np.random.Generator) -> np.ndarray:
    first = choices[rng.integers(len(choices))]
    placed = first
    for i in range(1, copies):
        copy = first if rng.uniform() < EQUAL else choices[rng.integers(len(choices))]
        copy = copy + rng.normal(scale=SHAKEN, size=copy.shape)
        gap = rng.uniform(*GAPS)
        copy = geometry.place(np.tile(kinds, i), placed, kinds, copy, ratio=1.0, gap=gap, rng=rng)
        placed = np.concatenate([placed, copy])
    return placed
