"""Equal molecules apart from each other: what a non-local model must see of alike atoms that do not touch."""

from __future__ import annotations

import numpy as np

from sakeff.data.frames import Frames
from sakeff.errors import DataError

from . import geometry
from .molecules import MAX_ATOMS, canonical

GAPS = (2.5, 9.0)  # Angstrom, between the closest atoms of a copy and of those before it
SHAKEN = 0.02  # Angstrom, standard deviation
EQUAL = 0.5  # share of the copies that have the geometry of the first, but for the shaking


def twins(train: Frames, held_out: set[str], count: int, rng: np.random.Generator) -> Frames:
    """Two to four copies of a training molecule, at most 23 atoms together, `count` times; without labels.

    Copies are frames of the molecule or the first one shaken, turned at random and put well out of contact. The group
    is the SMILES of the complex; none is held out, and all are equally likely. Raises `DataError` if there is none.
    """
    conformations = {str(name): _frames(train, name) for name in train.group_names if "." not in name}
    complexes = [
        (name, copies, smiles)
        for name, (kinds, _) in sorted(conformations.items())
        for copies in range(2, min(4, MAX_ATOMS // len(kinds)) + 1)
        if (smiles := canonical(".".join([name] * copies))) not in held_out
    ]
    if not complexes:
        raise DataError(f"no training molecule fits twice into {MAX_ATOMS} atoms; run generate for longer.")
    numbers, positions, groups = [], [], []
    for index in rng.integers(len(complexes), size=count):
        name, copies, smiles = complexes[index]
        kinds, choices = conformations[name]
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
