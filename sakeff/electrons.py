"""How many electrons ASE's ``Atoms`` have: the one reading of charge and spin for data and engines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from sakeff.errors import StructureError

CHARGE_KEYS = ("charge", "total_charge")
SPIN_KEYS = ("spin", "unpaired_electrons")
# Partial charges and magnetic moments are rounded in files: sums this near to an integer mean it.
ROUNDING = 0.05


def electrons(atoms: Atoms) -> tuple[float, float]:
    """Total charge (e) and number of unpaired electrons, from ``info`` or else sums of charges and magnetic moments.

    Raises StructureError if they are not numbers.
    """
    charge = _said(atoms, CHARGE_KEYS, atoms.get_initial_charges())
    spin = _said(atoms, SPIN_KEYS, atoms.get_initial_magnetic_moments())
    try:
        return float(charge), float(spin)
    except (TypeError, ValueError) as error:
        raise StructureError(
            f"atoms.info has charge {charge!r} and spin {spin!r}; give one number for each."
        ) from error


def _said(atoms: Atoms, names: Sequence[str], parts: np.ndarray) -> Any:
    return next((atoms.info[name] for name in names if name in atoms.info), _rounded(parts.sum()))


def _rounded(total: float) -> float:
    nearest = float(np.rint(total))
    return nearest if abs(total - nearest) < ROUNDING else float(total)
