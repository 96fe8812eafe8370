"""Analogues of the training molecules: more chemistry, which is what an unseen molecule asks for."""

from __future__ import annotations

import itertools
import random

from rdkit import Chem

from . import splits
from .molecules import Molecule, decorated, enumerate_molecules, exchanged, in_turn, is_allowed, is_common

FRAMES = 24  # of each; another number than that of an ordinary entry, so that the split holds none of them out
DECORATIONS = 8  # tries for each core


def analogues(count: int, seed: int) -> list[Molecule]:
    """`count` molecules (fewer where there are no more) that no list of the data set has, all for training.

    A core is a training molecule. Its analogues have one atom exchanged, or up to three hydrogens for substituents.
    """
    entries = enumerate_molecules(seed)
    roles = splits.assign(entries, seed)
    rng = random.Random(seed)  # noqa: S311 - no secrets here
    cores = [entry.smiles for entry in entries if roles[entry.smiles] == "train" and not entry.is_complex]
    queues = []
    for core in cores:
        children = {s for s in exchanged(core) if is_common(Chem.MolFromSmiles(s))}
        children |= {s for _ in range(DECORATIONS) if (s := decorated(core, rng)) is not None}
        queue = sorted(children - roles.keys())
        rng.shuffle(queue)
        queues.append(queue)
    rng.shuffle(queues)
    chosen = itertools.islice(filter(is_allowed, in_turn(queues)), count)
    return [Molecule(smiles, FRAMES) for smiles in chosen]
