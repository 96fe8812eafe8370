"""Molecules whose bonds are turned, stretched and placed."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from ase import Atoms
from gfn2 import geometry


def test_turning_a_bond_moves_one_side_and_keeps_all_bonds():
    mol, (start,) = geometry.embed("CCO", 1, 3)
    turned = geometry.turn(mol, start, (0, 1), 1.0)
    pairs = geometry.bonds(mol)
    before, after = (np.linalg.norm(p[pairs[:, 0]] - p[pairs[:, 1]], axis=1) for p in (start, turned))
    np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_array_equal(turned[[0, 3, 4, 5]], start[[0, 3, 4, 5]])
    assert np.linalg.norm(turned - start, axis=1).max() > 0.3


@pytest.mark.parametrize(("ratio", "gap"), [(0.7, None), (1.1, None), (1.0, 5.0)])
def test_placing_brings_the_closest_pair_to_the_wanted_distance(ratio, gap):
    rng = np.random.default_rng(5)
    mol, (water,) = geometry.embed("O", 1, 3)
    numbers = np.array([8, 1, 1])
    second = geometry.place(numbers, water, numbers, water, ratio, gap, rng)
    distance = np.linalg.norm(water[:, None] - second[None], axis=-1)
    if gap is None:
        both = np.concatenate([water, second])
        pairs = np.concatenate([geometry.bonds(mol), geometry.bonds(mol) + 3])
        assert geometry.closest_contact(np.tile(numbers, 2), both, pairs) == pytest.approx(ratio, rel=1e-9)
    else:
        assert distance.min() == pytest.approx(gap, rel=1e-9)


def test_setting_a_dihedral_moves_only_what_is_behind_it():
    mol, (start,) = geometry.embed("CC(=O)NC(C)C(=O)NC", 1, 3)
    ((atoms,), _) = geometry.backbone(mol)
    turned = geometry.set_dihedral(mol, start, atoms, -140.0)
    made = Atoms([1] * len(turned), turned)
    assert made.get_dihedral(*atoms) == pytest.approx(220.0, abs=1e-6)
    np.testing.assert_allclose(turned[list(atoms[:3])], start[list(atoms[:3])], atol=1e-9)
    for pair in geometry.bonds(mol):
        assert made.get_distance(*pair) == pytest.approx(np.linalg.norm(start[pair[0]] - start[pair[1]]), abs=1e-9)


def test_turning_a_dihedral_goes_on_from_where_it_is():
    mol, (start,) = geometry.embed("CC(=O)NC(C)C(=O)NC", 1, 3)
    ((atoms,), _) = geometry.backbone(mol)
    before = Atoms([1] * len(start), start).get_dihedral(*atoms)
    turned = geometry.turn_dihedral(mol, start, atoms, 15.0)
    assert Atoms([1] * len(start), turned).get_dihedral(*atoms) == pytest.approx(before + 15.0, abs=1e-6)


def test_a_bridge_within_a_molecule_keeps_its_length():
    positions = np.array([[0.0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 0, 0], [3, 2, 0]])
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(geometry.stretch_bridge(positions, pairs, (0, 3), 9.0), positions)
    stretched = geometry.stretch_bridge(positions, pairs, (0, 4), 9.0)
    assert np.linalg.norm(stretched[4] - stretched[0]) == pytest.approx(9.0, rel=1e-12)
