"""From labelled `ase.Atoms` to `Frames`: which keys hold labels, and which units they are in."""

from __future__ import annotations

from typing import List, NamedTuple, Optional, Sequence

import numpy as np
from ase import Atoms

from sakeff.data.frames import Frames
from sakeff.errors import DataError

ENERGY_KEYS = ("REF_energy", "ref_energy", "dft_energy", "energy")
FORCE_KEYS = ("REF_forces", "ref_forces", "dft_forces", "forces")
UNIT_KEYS = ("units", "unit", "energy_units", "energy_unit")
UNITS = ("ev", "ev, angstrom", "ev,angstrom", "ev/angstrom", "ev/a", "ase")
GROUP_KEYS = ("group", "smiles", "mol_id", "molecule")


class LabelKeys(NamedTuple):
    """Names of the labels; None searches the usual ones."""

    energy: Optional[str] = None
    forces: Optional[str] = None


ANY_KEYS = LabelKeys()


def frames_from_atoms(
    structures: Sequence[Atoms],
    source: str,
    keys: LabelKeys = ANY_KEYS,
    units: str = "eV",
    level_of_theory: Optional[str] = None,
) -> Frames:
    """Labelled structures in eV and angstrom as `Frames`.

    Every structure needs an energy and forces, in `info`/`arrays` or in an attached calculator. The group is `info` of
    `group`, `smiles`, `mol_id` or `molecule`, else the chemical formula; charge is `info["charge"]`, unpaired electrons
    `info["spin"]`. Raises `DataError` if labels are missing or `units` (or a `units` entry in `info`) is not eV.
    """
    if len(structures) == 0:
        raise DataError(f"{source} holds no structure.")
    _check_units(units, source)
    for index, atoms in enumerate(structures):
        for key in UNIT_KEYS:
            if key in atoms.info:
                _check_units(str(atoms.info[key]), f"{source}, structure {index}")
    levels = {str(a.info.get("level_of_theory", "unknown")) for a in structures}
    if level_of_theory is None and len(levels) > 1:
        raise DataError(f"{source} mixes levels of theory ({', '.join(sorted(levels))}); split it, or name one level.")
    return Frames.build(
        numbers=[atoms.numbers for atoms in structures],
        positions=[atoms.positions for atoms in structures],
        forces=[_forces(atoms, keys.forces, f"{source}, structure {k}") for k, atoms in enumerate(structures)],
        energy=[_energy(atoms, keys.energy, f"{source}, structure {k}") for k, atoms in enumerate(structures)],
        level_of_theory=level_of_theory or levels.pop(),
        cell=np.array([atoms.cell.array for atoms in structures]),
        pbc=np.array([atoms.pbc for atoms in structures]),
        charge=np.array([_number(atoms, ("charge", "total_charge")) for atoms in structures]),
        spin=np.array([_number(atoms, ("spin", "unpaired_electrons")) for atoms in structures]),
        groups=[_group(atoms) for atoms in structures],
    )


def _check_units(units: str, where: str) -> None:
    if units.strip().lower() not in UNITS:
        raise DataError(f"{where} has units {units!r} where eV and angstrom are needed; convert it first.")


def _energy(atoms: Atoms, key: Optional[str], where: str) -> float:
    results = atoms.calc.results if atoms.calc is not None else {}
    for name in (key,) if key else ENERGY_KEYS:
        found = atoms.info.get(name, results.get(name))
        if found is not None and np.isfinite(float(found)):
            return float(found)
    raise DataError(f"{where} has no energy {_sought(key, ENERGY_KEYS)}; name the key or remove the structure.")


def _forces(atoms: Atoms, key: Optional[str], where: str) -> np.ndarray:
    results = atoms.calc.results if atoms.calc is not None else {}
    for name in (key,) if key else FORCE_KEYS:
        found = atoms.arrays.get(name, results.get(name))
        if found is not None and np.shape(found) == (len(atoms), 3):
            return np.asarray(found, np.float64)
    raise DataError(f"{where} has no forces {_sought(key, FORCE_KEYS)}; name the key or remove the structure.")


def _sought(key: Optional[str], usual: Sequence[str]) -> str:
    return f"under {key!r}" if key else f"under any of {', '.join(usual)}"


def _number(atoms: Atoms, names: Sequence[str]) -> float:
    values: List[float] = [float(atoms.info[name]) for name in names if name in atoms.info]
    return values[0] if values else 0.0


def _group(atoms: Atoms) -> str:
    names = [str(atoms.info[key]) for key in GROUP_KEYS if key in atoms.info]
    return names[0] if names else atoms.get_chemical_formula()
