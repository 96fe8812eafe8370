"""Complexes that a committee of trained models disagrees about, out of many random ones of training molecules."""

from __future__ import annotations

import numpy as np

from sakeff.data.frames import Frames

from . import geometry
from .molecules import MAX_ATOMS, canonical

RATIOS = (0.5, 1.15)  # of the van der Waals distance, for the closest pair of atoms
ASTRAY = 20.0  # eV/Angstrom: where members differ by more, nothing is to be learned from the label


def random_complexes(train: Frames, held_out: set[str], count: int, rng: np.random.Generator) -> Frames:
    """Two frames of two training molecules in a random contact, `count` times; without labels.

    At most 23 atoms together, and no complex that is held out; the group is the SMILES of the complex.
    """
    names, n_atoms = train.groups, train.n_atoms
    single = np.flatnonzero(np.char.find(names, ".") < 0)
    numbers, positions, groups = [], [], []
    while len(groups) < count:
        pair = rng.choice(single, size=2)
        if n_atoms[pair].sum() > MAX_ATOMS:
            continue
        smiles = canonical(".".join(names[pair]))
        if smiles in held_out:
            continue
        first, second = (slice(*train.offsets[i : i + 2]) for i in pair)
        kinds, ratio = (train.numbers[first], train.numbers[second]), rng.uniform(*RATIOS)
        turned = geometry.turned(train.positions[second], rng)
        placed = geometry.place(kinds[0], train.positions[first], kinds[1], turned, ratio, None, rng)
        numbers.append(np.concatenate(kinds))
        positions.append(np.concatenate([train.positions[first], placed]))
        groups.append(smiles)
    unlabelled = [np.zeros_like(p) for p in positions], np.full(count, np.nan)
    return Frames.build(numbers, positions, *unlabelled, train.level_of_theory, groups=groups)


def most_disputed(deviation: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` largest deviations (eV/Angstrom, one for each frame) that are not astray, in order."""
    sound = np.flatnonzero(deviation < ASTRAY)
    return np.sort(sound[np.argsort(-deviation[sound], kind="stable")[:count]])
