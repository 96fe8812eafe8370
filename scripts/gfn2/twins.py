"""Equal molecules apart from each other: what a non-local model must see of alike atoms that do not touch."""

from __future__ import annotations

import numpy as np

from sakeff.data.frames import Frames
from sakeff.errors import DataError

from . import curated, geometry
from .molecules import canonical

MOST_ATOMS = 70  # of all copies: some three peptide residues, as alike and as many as the units of a chain
MOST_COPIES = 6
GAPS = (2.5, 9.0)  # Angstrom, between the closest atoms of a copy and of those before it
ROWS = 0.5  # share of the complexes whose copies are equal, parallel and at equal steps, like the units of a strand
SHAKEN = 0.02  # Angstrom, standard deviation
EQUAL = 0.5  # share of the other copies that have the geometry of the first, but for the shaking
PARALLEL = 0.75  # share of the other copies that are not turned


def twins(train: Frames, held_out: set[str], count: int, rng: np.random.Generator) -> Frames:
    """Two to six copies of a training molecule, at most 70 atoms together, `count` times; without labels.

    Copies are frames of the molecule or the first one shaken, and well out of contact. Most are parallel to the first:
    SPHC are vectors, so alike atoms have like SPHC where their surroundings also point the same way. Half of the
    complexes are rows, as regular as a strand. The group is the SMILES of the complex; none is held out. Half of the
    complexes are of peptide residues, if there are any, half of any other molecules. Raises `DataError` if there is
    none.
    """
    conformations = {str(name): _frames(train, name) for name in train.group_names if "." not in name}
    complexes = [
        (name, copies, smiles)
        for name, (kinds, _) in sorted(conformations.items())
        for copies in range(2, min(MOST_COPIES, MOST_ATOMS // len(kinds)) + 1)
        if (smiles := canonical(".".join([name] * copies))) not in held_out
    ]
    if not complexes:
        raise DataError("no molecule may be doubled: the training set has none, or all its doubles are held out.")
    odds = _half_residues([name for name, _, _ in complexes])
    numbers, positions, groups = [], [], []
    for index in rng.choice(len(complexes), size=count, p=odds):
        name, copies, smiles = complexes[index]
        kinds, choices = conformations[name]
        numbers.append(np.tile(kinds, copies))
        arrange = _row if rng.uniform() < ROWS else _scattered
        positions.append(arrange(kinds, choices, copies, rng))
        groups.append(smiles)
    unlabelled = [np.zeros_like(p) for p in positions], np.full(count, np.nan)
    return Frames.build(numbers, positions, *unlabelled, train.level_of_theory, groups=groups)


def _half_residues(names: list[str]) -> np.ndarray:
    residue = np.isin(names, [canonical(smiles) for smiles in curated.RESIDUES])
    share = residue.mean()
    odds = np.where(residue, 1.0 - share, share) if 0.0 < share < 1.0 else np.ones(len(names))
    return odds / odds.sum()


def _frames(train: Frames, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers (n,) of a molecule and the positions (F, n, 3) of its frames."""
    frames = train.select(np.flatnonzero(train.groups == name))
    return frames.frame(0).numbers, frames.positions.reshape(len(frames), -1, 3)


def _row(kinds: np.ndarray, choices: np.ndarray, copies: int, rng: np.random.Generator) -> np.ndarray:
    first = choices[rng.integers(len(choices))]
    second = geometry.place(kinds, first, kinds, first, ratio=1.0, gap=rng.uniform(*GAPS), rng=rng)
    ideal = np.concatenate([first + k * (second - first) for k in range(copies)])
    return ideal + rng.normal(scale=SHAKEN, size=ideal.shape)


def _scattered(kinds: np.ndarray, choices: np.ndarray, copies: int, rng: np.random.Generator) -> np.ndarray:
    first = choices[rng.integers(len(choices))]
    placed = first
    for i in range(1, copies):
        copy = first if rng.uniform() < EQUAL else choices[rng.integers(len(choices))]
        copy = copy + rng.normal(scale=SHAKEN, size=copy.shape)
        copy = copy if rng.uniform() < PARALLEL else geometry.turned(copy, rng)
        gap = rng.uniform(*GAPS)
        copy = geometry.place(np.tile(kinds, i), placed, kinds, copy, ratio=1.0, gap=gap, rng=rng)
        placed = np.concatenate([placed, copy])
    return placed
