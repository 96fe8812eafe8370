"""Against scipy's CODATA tables."""

import pytest
from scipy import constants

from sakeff import units

# CODATA values have at least this many digits in common from one release to the next.
CODATA = 1e-9


def test_molar_energies():
    ev_per_mol = constants.electron_volt * constants.N_A
    assert pytest.approx(ev_per_mol / 1000, rel=1e-14) == units.KJ_PER_MOL_PER_EV
    assert pytest.approx(constants.calorie * 1000 / ev_per_mol, rel=1e-14) == units.EV_PER_KCAL_PER_MOL


def test_hartree():
    assert pytest.approx(constants.value("Hartree energy in eV"), rel=CODATA) == units.EV_PER_HARTREE


def test_forces_of_openmm():
    per_nm = constants.electron_volt / constants.angstrom * constants.N_A / 1000 * constants.nano
    assert pytest.approx(per_nm, rel=1e-13) == units.KJ_PER_MOL_NM_PER_EV_ANGSTROM
    assert constants.nano / constants.angstrom == pytest.approx(units.ANGSTROM_PER_NM)
