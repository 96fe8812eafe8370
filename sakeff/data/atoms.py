"""From labelled `ase.Atoms` to `Frames`: which keys hold labels, and which units they are in."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from ase import Atoms

from sakeff.data.frames import Frames
from sakeff.electrons import electrons
from sakeff.errors import DataError, StructureError
from sakeff.types import UNKNOWN_LEVEL

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

    Every structure needs an energy and forces, in `info`/`arrays` or in an attached calculator, under the names that
    the first structure has. The group is `info` of `group`, `smiles`, `mol_id` or `molecule`, else the chemical
    formula; charge and spin are read as by the engines (`sakeff.electrons`). Raises `DataError` if labels are missing
    or `units` (or a `units` entry in `info`) is not eV.
    """
    if len(structures) == 0:
        raise DataError(f"{source} holds no structure.")
    _check_units(units, source)
    for index, atoms in enumerate(structures):
        for key in UNIT_KEYS:
            if key in atoms.info:
                _check_units(str(atoms.info[key]), f"{source}, structure {index}")
    keys = _chosen(structures[0], keys, source)
    states = [_electrons(atoms, f"{source}, structure {k}") for k, atoms in enumerate(structures)]
    levels = {str(a.info.get("level_of_theory", UNKNOWN_LEVEL)) for a in structures}
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
        charge=np.array([charge for charge, _ in states]),
        spin=np.array([spin for _, spin in states]),
        groups=[_group(atoms) for atoms in structures],
    )


def _check_units(units: str, where: str) -> None:
    if units.strip().lower() not in UNITS:
        raise DataError(f"{where} has units {units!r} where eV and angstrom are needed; convert it first.")


def _chosen(first: Atoms, keys: LabelKeys, source: str) -> LabelKeys:
    """The names of energy and forces in all structures, from the first: labels of two methods must not mix.

    Usual names go together, ``REF_energy`` with ``REF_forces``. None stands for a label that the first structure lacks.
    """
    energies = [name for name in ((keys.energy,) if keys.energy else ENERGY_KEYS) if _label(first, name) is not None]
    forces = [name for name in ((keys.forces,) if keys.forces else FORCE_KEYS) if _label(first, name) is not None]
    if not energies or not forces:
        return LabelKeys(keys.energy or next(iter(energies), None), keys.forces or next(iter(forces), None))
    if keys.energy or keys.forces:
        return LabelKeys(energies[0], forces[0])
    for pair in map(LabelKeys, ENERGY_KEYS, FORCE_KEYS):
        if pair.energy in energies and pair.forces in forces:
            return pair
    raise DataError(
        f"{source} has {energies[0]!r} and {forces[0]!r}, perhaps of two methods; name both (energy_key, force_key)."
    )


def _label(atoms: Atoms, name: str) -> Any:
    results = atoms.calc.results if atoms.calc is not None else {}
    return next((held[name] for held in (atoms.info, atoms.arrays, results) if name in held), None)


def _energy(atoms: Atoms, key: Optional[str], where: str) -> float:
    found = None if key is None else _label(atoms, key)
    try:
        energy = float("nan") if found is None else float(found)
    except (TypeError, ValueError) as error:
        raise DataError(f"{where} has {found!r} under {key!r}, which is no energy; correct it.") from error
    if not np.isfinite(energy):
        raise DataError(f"{where} has no energy {_sought(key, ENERGY_KEYS)}; name the key or remove the structure.")
    return energy


def _forces(atoms: Atoms, key: Optional[str], where: str) -> np.ndarray:
    found = None if key is None else _label(atoms, key)
    if found is None or np.shape(found) != (len(atoms), 3):
        raise DataError(f"{where} has no forces {_sought(key, FORCE_KEYS)}; name the key or remove the structure.")
    return np.asarray(found, np.float64)


def _electrons(atoms: Atoms, where: str) -> Tuple[float, float]:
    try:
        return electrons(atoms)
    except StructureError as error:
        raise DataError(f"{where}: {error}") from error


def _sought(key: Optional[str], usual: Sequence[str]) -> str:
    return f"under {key!r}" if key else f"under any of {', '.join(usual)}"


def _group(atoms: Atoms) -> str:
    names = [str(atoms.info[key]) for key in GROUP_KEYS if key in atoms.info]
    return names[0] if names else atoms.get_chemical_formula()
