import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from sakeff.drivers.watch import Watch, bonds_of, cause
from sakeff.errors import SimulationError, StructureError


def pairs(atoms):
    i, j, _ = bonds_of(atoms)
    return sorted(zip(i.tolist(), j.tolist(), strict=True))


def test_bonds_of_a_molecule_are_listed_once():
    assert pairs(molecule("H2O")) == [(0, 1), (0, 2)]
    assert pairs(Atoms("He")) == []


def test_bonds_across_the_boundary_and_to_own_images():
    chain = Atoms("C", cell=[1.5, 10, 10], pbc=[True, False, False])
    i, j, shift = bonds_of(chain)
    assert (i.tolist(), j.tolist()) == ([0], [0])
    assert abs(shift[0]).tolist() == [1, 0, 0]
    assert len(bonds_of(bulk("Cu", cubic=True))[0]) == 4 * 12 // 2  # twelve neighbours in fcc, each bond once


def test_the_start_and_small_moves_are_good():
    water = molecule("H2O")
    watch = Watch(water)
    watch.check(water.positions, -1.0)
    watch.check(water.positions + np.random.default_rng(0).normal(scale=0.1, size=(3, 3)), -1.0)


def test_wrapping_is_not_an_explosion_but_a_stretched_bond_is():
    chain = Atoms("CC", [[0.1, 0, 0], [8.6, 0, 0]], cell=[10, 10, 10], pbc=True)
    watch = Watch(chain)
    watch.check(chain.positions, 0.0)
    with pytest.raises(SimulationError, match=r"bond C0-C1 exploded from 1.50 to 4.50 A"):
        watch.check(chain.positions - [[0, 0, 0], [3.0, 0, 0]], 0.0)


@pytest.mark.parametrize(("position", "energy"), [(np.nan, 0.0), (np.inf, 0.0), (0.0, np.nan)])
def test_non_finite_numbers(position, energy):
    water = molecule("H2O")
    positions = water.positions.copy()
    positions[1, 1] += position
    with pytest.raises(SimulationError, match="non-finite"):
        Watch(water).check(positions, energy)


def test_cause_is_the_first_half_of_a_sentence():
    assert cause(StructureError("Two atoms overlap; move them.")) == "two atoms overlap"
