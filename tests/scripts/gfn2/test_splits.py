"""The split by whole molecules."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import molecules, splits


def test_split_holds_out_whole_molecules_that_no_complex_shows(entries, roles):
    complexes = [entry.smiles for entry in entries if entry.is_complex]
    shown = {part for smiles in complexes for part in smiles.split(".")}
    counts = {role: sum(r == role and "." not in s for s, r in roles.items()) for role in ("test", "valid")}
    assert counts == {"test": 160, "valid": 60}
    assert not {s for s, role in roles.items() if role != "train"} & shown
    assert {roles[entry.smiles] for entry in entries if entry.frames > molecules.FRAMES} == {"train"}


def test_a_molecule_never_changes_sides_with_the_order(entries, roles):
    assert splits.assign(entries[::-1], molecules.SEED) == roles
