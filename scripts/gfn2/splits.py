"""Which molecules are held out. Decided over the whole list, so a molecule never changes sides while shards appear."""

from __future__ import annotations

import hashlib

from .molecules import FRAMES, Molecule

HELD_OUT = {"test": (160, 20), "valid": (60, 10)}  # (molecules, complexes); a few may turn out without frames


def assign(molecules: list[Molecule], seed: int) -> dict[str, str]:
    """SMILES -> "train", "valid" or "test".

    The most relevant entries always train, and so does a molecule that is part of a complex: it would be seen there.
    """
    parts = {part for molecule in molecules if molecule.is_complex for part in molecule.smiles.split(".")}
    free = [m for m in molecules if m.frames == FRAMES and m.smiles not in parts]
    roles = {molecule.smiles: "train" for molecule in molecules}
    for kind, is_complex in enumerate((False, True)):
        queue = sorted((_key(m.smiles, seed), m.smiles) for m in free if m.is_complex == is_complex)
        for role, counts in HELD_OUT.items():
            chosen, queue = queue[: counts[kind]], queue[counts[kind] :]
            roles.update((smiles, role) for _, smiles in chosen)
    return roles


def _key(smiles: str, seed: int) -> str:
    return hashlib.sha256(f"split:{seed}:{smiles}".encode()).hexdigest()
