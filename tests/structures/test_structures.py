import ase.io
import numpy as np
import pytest
from ase.build import molecule

from sakeff.drivers.watch import bonds_of
from sakeff.errors import StructureError
from sakeff.structures import list_structures, load_structure, read_structure

ATOMS = {"riboflavin": 47, "ala10_helix": 109, "ala10_extended": 109, "ethanol": 9, "alanine": 13}


def bonds(atoms):
    i, j, _ = bonds_of(atoms)
    return set(zip(i.tolist(), j.tolist(), strict=True))


def test_every_start_has_its_minimum():
    assert {*ATOMS, *(f"{name}_gfn2" for name in ATOMS)} == set(list_structures())


@pytest.mark.parametrize(("name", "count"), ATOMS.items())
def test_start_and_minimum_are_the_same_molecule(name, count):
    start, minimum = load_structure(name), load_structure(f"{name}_gfn2")
    assert len(start) == len(minimum) == count
    np.testing.assert_array_equal(start.numbers, minimum.numbers)
    assert bonds(start) == bonds(minimum)
    assert set(start.symbols) <= set("HCNO")
    assert not start.pbc.any()
    assert not np.allclose(start.positions, minimum.positions, atol=0.01)


@pytest.mark.parametrize("name", ATOMS)
def test_minima_are_minima(name):
    minimum = load_structure(f"{name}_gfn2")
    assert np.linalg.norm(minimum.get_forces(), axis=1).max() <= 0.01
    assert minimum.get_potential_energy() < 0


def test_names_and_files_are_read(tmp_path):
    ase.io.write(tmp_path / "water.xyz", [molecule("CO2"), molecule("H2O")])
    assert read_structure(tmp_path / "water.xyz").get_chemical_formula() == "H2O"
    assert len(read_structure("riboflavin")) == 47


def test_unknown_names_are_answered_with_the_list():
    with pytest.raises(StructureError, match=r"choose one of .*riboflavin"):
        load_structure("caffeine")


def test_a_file_without_atoms(tmp_path):
    (tmp_path / "empty.xyz").write_text("0\n\n")
    with pytest.raises(StructureError, match="no atoms"):
        read_structure(tmp_path / "empty.xyz")
