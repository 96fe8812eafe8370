"""The committed references: minima, held-out molecules, pairs; some of them once more."""

import itertools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from evaluations import references
from evaluations.approach import (
    Approach,
    contact_distance,
    largest_fall,
)
from evaluations.transfer import POINTS, barrier, energies_along
from evaluations.vibrations import frequencies

from sakeff.data.frames import load
from sakeff.errors import DataError
from sakeff.geometry import CLOSEST
from sakeff.structures import load_structure

ROOT = Path(__file__).parents[3]
TEST_SET = ROOT / "models" / "test_sets" / "gfn2" / "test.npz"
RIGID = {"c1ccc2nnccc2c1", "C1CN2CCN1C2"}  # cinnoline, 1,4-diazabicyclo[2.2.1]heptane


def test_conformers_are_the_bundled_minima():
    minima = references.read_conformers(references.FOLDER)
    assert set(minima) == {"riboflavin", "ala10_helix", "ala10_extended"}
    for name, entry in minima.items():
        bundled = load_structure(f"{name}_gfn2")
        assert entry["energy_eV"] == pytest.approx(bundled.get_potential_energy(), abs=1e-4)
        assert entry["fmax_eV_per_A"] <= 0.005
        assert np.linalg.norm(bundled.get_forces(), axis=1).max() == pytest.approx(entry["fmax_eV_per_A"], abs=3e-4)


def test_molecules_are_minima_with_all_their_frequencies():
    found = references.read_molecules(references.FOLDER)
    assert len({one.smiles for one in found}) == len(found) == 10
    for one in found:
        assert len(one.atoms) <= 23
        assert one.fmax <= 0.001
        assert len(one.frequencies) == 3 * len(one.atoms) - 6
        assert (np.diff(one.frequencies) >= 0).all()
        assert one.frequencies[0] > 0
        assert 2800 < one.frequencies[-1] < 4000


def test_molecules_are_held_out():
    pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
    from gfn2 import molecules as enumerated
    from gfn2 import splits
    from rdkit import Chem

    roles = splits.assign(enumerated.enumerate_molecules(), enumerated.SEED)
    for one in references.read_molecules(references.FOLDER):
        assert roles[one.smiles] == "test"
        mol = Chem.AddHs(Chem.MolFromSmiles(one.smiles))
        assert [atom.GetAtomicNum() for atom in mol.GetAtoms()] == one.atoms.numbers.tolist()


def test_rigid_minima_are_the_floor_of_the_test_set():
    """A molecule of one shape: its frames, labelled in another run, lie above, and its relaxations end just above."""
    frames = load(TEST_SET)
    names = frames.group_names[frames.group]
    lowest = {
        one.smiles: frames.energy[names == one.smiles].min() - one.energy
        for one in references.read_molecules(references.FOLDER)
        if one.smiles in RIGID and one.smiles in names
    }
    assert lowest
    assert all(-1e-4 < difference < 2e-3 for difference in lowest.values()), lowest


def test_all_pairs_from_six_angstrom_into_the_wall():
    scans = references.read_pairs(references.FOLDER)
    pairs = ["-".join(pair) for pair in itertools.combinations_with_replacement(("H2O", "CH4", "NH3", "CO", "N2"), 2)]
    orientations = ("deepest", "median", "shallowest")
    assert [(one.pair, one.orientation) for one in scans] == list(itertools.product(pairs, orientations))
    for one in scans:
        assert one.distances[0] == 6.0
        np.testing.assert_allclose(np.diff(one.distances), -0.05, atol=1e-9)
        assert one.energies[-1] > 1.0
        assert one.contact == pytest.approx(contact_distance(one.distances, one.energies), abs=1e-5)
        assert largest_fall(one.distances, one.energies, one.contact) == 0.0
        innermost = one.second.positions + [one.distances[-1], 0.0, 0.0]
        assert np.linalg.norm(one.first.positions[:, None] - innermost, axis=-1).min() > 2 * CLOSEST


def test_pairs_are_rigid_and_centred():
    seen = {}
    for one in references.read_pairs(references.FOLDER):
        for atoms in (one.first, one.second):
            np.testing.assert_allclose(atoms.get_center_of_mass(), 0.0, atol=1e-5)
            shape = seen.setdefault(atoms.get_chemical_formula(), atoms.get_all_distances())
            np.testing.assert_allclose(atoms.get_all_distances(), shape, atol=1e-5)
    assert set(seen) == {"H2O", "CH4", "H3N", "CO", "N2"}


def test_transfers_are_of_bridges_of_riboflavin():
    found = references.read_transfers(references.FOLDER)
    riboflavin = load_structure("riboflavin")
    assert len(found) == 8
    assert max(Counter(one.bridge for one in found).values()) <= 2
    for one in found:
        donor, hydrogen, acceptor = one.bridge
        assert one.atoms.numbers.tolist() == riboflavin.numbers.tolist()
        assert one.atoms.numbers[hydrogen] == 1
        assert {one.atoms.numbers[donor], one.atoms.numbers[acceptor]} <= {7, 8}
        assert one.atoms.get_distance(donor, hydrogen) < 1.2 < one.atoms.get_distance(hydrogen, acceptor) < 2.7
        assert one.energies.shape == (POINTS,)
        assert barrier(one.energies) > 0.1


def test_references_once_more():
    """Energies of a scan and a transfer and the frequencies of the smallest molecule, by the program itself."""
    pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")
    import make_gfn2_references as maker

    scan = references.read_pairs(references.FOLDER)[0]
    approach = Approach(scan.first, scan.second, maker.calculator())
    np.testing.assert_allclose(approach(scan.distances[::20])[0], scan.energies[::20], atol=2e-5)
    first = references.read_transfers(references.FOLDER)[0]
    np.testing.assert_allclose(energies_along(first.atoms, first.bridge, maker.calculator()), first.energies, atol=2e-5)
    smallest = min(references.read_molecules(references.FOLDER), key=lambda one: len(one.atoms))
    smallest.atoms.calc = maker.calculator()
    np.testing.assert_allclose(frequencies(smallest.atoms), smallest.frequencies, atol=0.5)


def test_missing_references(tmp_path):
    with pytest.raises(DataError, match="make_gfn2_references"):
        references.read_pairs(tmp_path)
