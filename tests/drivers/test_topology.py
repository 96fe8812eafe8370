import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from sakeff.drivers.topology import box_of, molecules, reduced, topology_of
from sakeff.errors import StructureError
from sakeff.structures import load_structure


def test_topology_of_riboflavin():
    atoms = load_structure("riboflavin_gfn2")
    topology = topology_of(atoms)
    assert [atom.element.atomic_number for atom in topology.atoms()] == atoms.numbers.tolist()
    assert topology.getNumBonds() == 49  # 47 atoms in a tree have 46 bonds; three rings add one each
    assert topology.getNumResidues() == 1
    assert topology.getPeriodicBoxVectors() is None


def test_separate_molecules_are_residues_and_atoms_keep_their_order():
    assert molecules(5, np.array([0, 3]), np.array([1, 4])) == [[0, 1], [2], [3, 4]]
    assert molecules(4, np.array([0, 1]), np.array([2, 3])) == [[0, 1, 2, 3]]
    water = molecule("H2O")
    both = water + Atoms(water.symbols, water.positions + [5, 0, 0])
    assert topology_of(both).getNumResidues() == 2


def test_the_box_is_the_same_lattice_in_openmm_form():
    rng = np.random.default_rng(3)
    cell = np.diag([6.0, 7.0, 8.0]) + rng.uniform(-3, 3, size=(3, 3))
    atoms = Atoms("CO", rng.uniform(0, 5, size=(2, 3)), cell=cell, pbc=True)
    vectors, rotation = box_of(atoms)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.triu(vectors, 1), 0.0, atol=1e-12)
    assert (2 * abs(np.tril(vectors, -1)) <= np.diag(vectors) + 1e-9).all()
    # whole numbers relate both lattices, and they have the same volume
    change = vectors @ rotation @ np.linalg.inv(cell)
    np.testing.assert_allclose(change, np.round(change), atol=1e-9)
    assert abs(np.linalg.det(change)) == pytest.approx(1.0, abs=1e-9)


def test_reduction_leaves_a_reduced_box_alone():
    box = np.array([[4.0, 0, 0], [1.0, 5.0, 0], [-1.5, 2.0, 6.0]])
    np.testing.assert_array_equal(reduced(box), box)


@pytest.mark.parametrize(
    ("cell", "pbc", "match"),
    [
        (np.eye(3) * 9, (True, True, False), "all directions or in none"),
        (np.zeros((3, 3)), True, "volume"),
        (np.diag([9, 9, -9]), True, "right-handed"),
    ],
)
def test_boxes_that_openmm_has_not(cell, pbc, match):
    with pytest.raises(StructureError, match=match):
        box_of(Atoms("H", cell=cell, pbc=pbc))
