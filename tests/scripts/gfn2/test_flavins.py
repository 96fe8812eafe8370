"""Relatives of riboflavin: hydrogen bridges of the chain whose hydrogen is on its way."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import flavins, geometry

RELATIVE = flavins.CORES[0].format("CC(O)CO")


def _with_and_without_bridge() -> tuple[geometry.Chem.Mol, np.ndarray, np.ndarray]:
    """A relative and two conformers: one with a hydrogen bridge of its chain, and one without."""
    mol, starts = geometry.embed(RELATIVE, 20, 5)
    numbers = geometry.atomic_numbers(mol)
    bridged = [bool(geometry.hydrogen_bridges(numbers, start, geometry.bonds(mol))) for start in starts]
    return mol, starts[bridged.index(True)], starts[bridged.index(False)]


def test_every_hydroxyl_gets_its_bridge_to_the_ring(monkeypatch):
    """That of the middle one is riboflavin's, and conformers drawn at random seldom have it."""
    monkeypatch.setattr(flavins, "BRIDGED", 1.0)
    mol, (start,) = geometry.embed(flavins.CORES[1].format("CCC(O)CO"), 1, 1)
    numbers, rng = geometry.atomic_numbers(mol), np.random.default_rng(2)
    found = set()
    for _ in range(8):
        moved = flavins._start(mol, start, rng)
        bridges = geometry.hydrogen_bridges(numbers, moved, geometry.bonds(mol))
        found |= {h for _, h, y in bridges if numbers[y] == 7}
    assert found == set(flavins._first(mol, flavins.HYDROXYL))
    assert len(found) == 2


def test_a_chain_without_a_hydroxyl_starts_at_the_minimum_of_the_force_field(monkeypatch):
    monkeypatch.setattr(flavins, "BRIDGED", 1.0)
    mol, (start,) = geometry.embed(flavins.CORES[1].format("C"), 1, 1)
    moved = flavins._start(mol, start, np.random.default_rng(2))
    np.testing.assert_array_equal(moved, flavins.classical.relaxed(mol, start))


def test_the_hydrogen_of_a_bridge_is_moved_and_may_leave_its_oxygen():
    mol, start, _ = _with_and_without_bridge()
    numbers, pairs = geometry.atomic_numbers(mol), geometry.bonds(mol)
    samples = flavins._around(mol, [start], np.random.default_rng(3))
    moved = [one.positions for one in samples if not one.intact]
    assert len(moved) == flavins.BRIDGES
    oxygen, hydrogen = next((x, h) for x, h, _ in geometry.hydrogen_bridges(numbers, start, pairs))
    lengths = np.array([np.linalg.norm(p[oxygen] - p[hydrogen]) for p in moved])
    assert lengths.max() > 1.3  # longer than any bond of hydrogen
    assert len(samples) == len(moved) + 1 + flavins.TURNS + flavins.COPIES


def test_bridges_are_bent_as_well(monkeypatch):
    """The heavy atoms of a bridge are as far apart as turned chains have them, not only as at a minimum."""
    mol, start, _ = _with_and_without_bridge()
    monkeypatch.setattr(flavins, "SHAKEN", (0.0, 0.0))
    monkeypatch.setattr(flavins.sampling, "bridge_samples", lambda numbers, sources, *_: sources)  # none moved
    donor, _, acceptor = geometry.hydrogen_bridges(geometry.atomic_numbers(mol), start, geometry.bonds(mol))[0]
    sources = [one.positions for one in flavins._around(mol, [start], np.random.default_rng(3)) if not one.intact]
    lengths = np.array([np.linalg.norm(p[donor] - p[acceptor]) for p in sources])
    assert np.ptp(lengths[: 1 + flavins.COPIES]) < 1e-9
    assert np.ptp(lengths) > 0.2


def test_a_chain_without_a_bridge_has_no_such_frames(monkeypatch):
    monkeypatch.setattr(flavins, "TURNS", 0)
    monkeypatch.setattr(flavins, "BENT", 0)
    mol, _, start = _with_and_without_bridge()
    samples = flavins._around(mol, [start], np.random.default_rng(3))
    assert len(samples) == 1 + flavins.COPIES
    assert all(one.intact for one in samples)
