"""Molecules like those of the training set."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import analogues, molecules, splits
from rdkit import Chem


def test_analogues_are_new_molecules_and_all_for_training(entries, roles, monkeypatch):
    monkeypatch.setattr(analogues, "enumerate_molecules", lambda seed: entries[::40])
    with monkeypatch.context() as patch:
        patch.setattr(splits, "assign", lambda some, seed: roles)
        found = analogues.analogues(60, molecules.SEED)
        assert analogues.analogues(20, molecules.SEED) == found[:20]
    names = [one.smiles for one in found]
    assert len(set(names)) == 60
    assert not set(names) & set(roles)
    assert all(molecules.canonical(name) == name and molecules.is_allowed(name) for name in names)
    assert splits.assign(entries + found, molecules.SEED) == {**roles, **dict.fromkeys(names, "train")}


def test_an_analogue_differs_in_one_atom_or_in_substituents(monkeypatch):
    core = molecules.canonical("c1ccccc1CO")
    monkeypatch.setattr(analogues, "enumerate_molecules", lambda seed: [molecules.Molecule(core, 120)])
    monkeypatch.setattr(splits, "assign", lambda some, seed: {core: "train"})
    names = {one.smiles for one in analogues.analogues(100, molecules.SEED)}
    assert molecules.canonical("n1ccccc1CO") in names
    assert molecules.canonical("c1ccccc1OO") not in names  # peroxides are refused
    grown = [name for name in names if Chem.MolFromSmiles(name).HasSubstructMatch(Chem.MolFromSmiles(core))]
    assert grown
    assert all(len(Chem.MolFromSmiles(name).GetAtoms()) > 8 for name in grown)
