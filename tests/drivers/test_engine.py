import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule

from sakeff.drivers.engine import check_start, degrees_of_freedom, thermalise
from sakeff.errors import StructureError


def test_momenta_are_seeded_without_net_motion_at_the_temperature():
    crystal = bulk("Cu", cubic=True) * (4, 4, 4)
    one, same, other = (thermalise(crystal, 400.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.get_momenta(), same.get_momenta())
    assert not np.array_equal(one.get_momenta(), other.get_momenta())
    np.testing.assert_allclose(one.get_momenta().sum(axis=0), 0.0, atol=1e-9)
    temperature = 2 * one.get_kinetic_energy() / (degrees_of_freedom(one, "nve") * units.kB)
    assert temperature == pytest.approx(400.0, rel=4 * np.sqrt(2 / 765))  # four standard errors
    assert not crystal.get_momenta().any()


def test_momenta_that_are_there_are_kept():
    atoms = molecule("H2O")
    atoms.set_momenta(np.ones((3, 3)))
    np.testing.assert_array_equal(thermalise(atoms, 300.0, 0).get_momenta(), 1.0)


def test_degrees_of_freedom():
    water, atom = molecule("H2O"), Atoms("H")
    assert [degrees_of_freedom(water, ensemble) for ensemble in ("nve", "nvt")] == [6, 9]
    assert degrees_of_freedom(atom, "nve") == 3


@pytest.mark.parametrize("name", ["positions", "momenta"])
def test_starts_that_are_not_finite(name):
    atoms = molecule("H2O")
    atoms.set_momenta(np.zeros((3, 3)))
    atoms.arrays[name][0, 0] = np.nan
    with pytest.raises(StructureError, match="not finite"):
        check_start(atoms)


def test_no_atoms():
    with pytest.raises(StructureError, match="no atoms"):
        check_start(Atoms())
