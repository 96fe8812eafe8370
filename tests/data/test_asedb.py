import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from sakeff.data.read import read_frames
from sakeff.errors import DataError


def water():
    return Atoms("OH2", positions=[[0, 0, 0], [0, 0.8, 0.6], [0, -0.8, 0.6]])


def computed():
    atoms = water()
    atoms.calc = SinglePointCalculator(atoms, energy=-2.0, forces=np.full((3, 3), 0.5))
    return atoms


def test_results_and_data_of_rows(tmp_path):
    results, data = tmp_path / "results.db", tmp_path / "data.db"
    with ase.db.connect(results) as database:
        database.write(computed(), smiles="O.1")
    with ase.db.connect(data) as database:
        database.write(computed(), smiles="O.2", REF_energy=-3.0, data={"REF_forces": np.full((3, 3), 0.25)})
    frames = read_frames([results, data], level_of_theory="PBE")
    assert frames.energy.tolist() == [-2.0, -3.0]
    np.testing.assert_array_equal(frames.forces[::3, 0], [0.5, 0.25])
    assert frames.groups.tolist() == ["O.1", "O.2"]


def test_rows_with_labels_of_other_names_are_refused(tmp_path):
    with ase.db.connect(tmp_path / "data.db") as database:
        database.write(water(), REF_energy=-3.0, data={"REF_forces": np.full((3, 3), 0.25)})
        database.write(computed())
    with pytest.raises(DataError, match="structure 1 has no forces under 'REF_forces'"):
        read_frames(tmp_path / "data.db")


def test_rows_without_labels_and_broken_files_are_refused(tmp_path):
    path = tmp_path / "data.db"
    with pytest.raises(DataError, match="does not exist"):
        read_frames(path)
    with ase.db.connect(path) as database:
        database.write(water())
    with pytest.raises(DataError, match="no forces"):
        read_frames(path)
    path.write_bytes(b"nonsense" * 100)
    with pytest.raises(DataError, match="cannot be read"):
        read_frames(path)
