"""The enumeration of molecules: how many, which ones, and which never."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import curated, molecules
from rdkit import Chem

RIBOFLAVIN = "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(C[C@H](O)[C@H](O)[C@H](O)CO)c2cc1C"


def test_enough_distinct_molecules_and_scaffolds(entries):
    single = [entry.smiles for entry in entries if not entry.is_complex]
    assert len({entry.smiles for entry in entries}) == len(entries)
    assert len(single) >= 1500
    assert len({molecules.scaffold(smiles) for smiles in single} - {""}) >= 300
    assert sum(entry.frames for entry in entries) >= 60_000


def test_every_entry_is_canonical_and_in_scope(entries):
    for entry in entries:
        mol = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
        assert 2 <= mol.GetNumAtoms() <= 23, entry
        assert {atom.GetSymbol() for atom in mol.GetAtoms()} <= set("HCNO"), entry
        assert Chem.GetFormalCharge(mol) == 0, entry
        assert not any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()), entry
        assert molecules.canonical(entry.smiles) == entry.smiles


def test_test_structures_are_never_in(entries):
    names = {part for entry in entries for part in entry.smiles.split(".")}
    assert not names & {molecules.canonical(smiles) for smiles in curated.FORBIDDEN}
    assert molecules.forbidden_in(f"O.{RIBOFLAVIN}")
    assert molecules.forbidden_in("CC(=O)" + "N[C@@H](C)C(=O)" * 10 + "N")
    assert not molecules.forbidden_in("CC(=O)NC(C)C(=O)NC")


def test_relevant_molecules_come_first(entries):
    first = {entry.smiles for entry in entries[:200]}
    for smiles in ("CC(=O)NC(C)C(=O)NC", "CNC(C)=O", "OCC(O)C(O)C(O)CO", "Cc1ccccc1C", "O.O", "O=c1cc[nH]c(=O)[nH]1"):
        assert molecules.canonical(smiles) in first


def test_walls_residues_amides_and_bridges_are_sampled_thoroughly(entries):
    walls = [entry.smiles for entry in entries if entry.frames == molecules.WALL_FRAMES]
    assert len(walls) == 15  # all pairs of five molecules
    assert all(set(s.split(".")) <= {"O", "C", "N", "N#N", "[C-]#[O+]"} for s in walls)
    assert {entry.closest for entry in entries if entry.smiles in walls} == {molecules.CLOSEST_OF_WALLS}
    thorough = {entry.smiles for entry in entries if entry.frames == molecules.THOROUGH_FRAMES}
    residues = {entry.smiles for entry in entries if entry.path_frames == molecules.PATH_FRAMES}
    assert residues == {molecules.canonical(smiles) for smiles in curated.RESIDUES} <= thorough
    assert residues == {entry.smiles for entry in entries if entry.strand_frames == molecules.STRAND_FRAMES}
    bridged = {entry.smiles for entry in entries if entry.bridge_frames == molecules.BRIDGE_FRAMES}
    assert bridged == {molecules.canonical(smiles) for smiles in curated.BRIDGES}
    ordinary = {entry.smiles for entry in entries if entry.frames == molecules.FRAMES}
    assert {molecules.canonical(smiles) for smiles in curated.AMIDE_COMPLEXES} <= thorough | ordinary


def test_curated_smiles_are_all_used(entries):
    names = {entry.smiles for entry in entries}
    known = {molecules.canonical(smiles) for smiles in curated.RELEVANT + curated.CURATED}
    assert known <= names


def test_same_seed_same_list(entries):
    assert molecules.enumerate_molecules() == entries
