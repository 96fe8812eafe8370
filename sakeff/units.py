"""Unit conversions, once, from CODATA 2018 constants (exact since the SI of 2019 where no digits are lost).

The package works in angstrom and eV; OpenMM in nm and kJ/mol; data sets often in kcal/mol.
"""

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
AVOGADRO = 6.02214076e23  # 1/mol, exact

KJ_PER_MOL_PER_EV = ELEMENTARY_CHARGE * AVOGADRO / 1000.0
EV_PER_KCAL_PER_MOL = 4.184 / KJ_PER_MOL_PER_EV

ANGSTROM_PER_NM = 10.0
KJ_PER_MOL_NM_PER_EV_ANGSTROM = KJ_PER_MOL_PER_EV * ANGSTROM_PER_NM

EV_PER_HARTREE = 27.211386245988
