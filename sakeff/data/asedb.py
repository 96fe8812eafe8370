"""ASE databases (`ase.db`: SQLite, JSON and servers)."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

import ase.db
from ase import Atoms

from sakeff.data.atoms import LabelKeys, frames_from_atoms
from sakeff.data.frames import Frames
from sakeff.errors import DataError


def read_asedb(
    path: Union[str, Path],
    energy_key: Optional[str] = None,
    force_key: Optional[str] = None,
    units: str = "eV",
    level_of_theory: Optional[str] = None,
) -> Frames:
    """All rows of a database in the order of their ids; key-value pairs and `data` of a row are searched for labels.

    See `frames_from_atoms` for keys and units. Raises `DataError`.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path.")
    try:
        with ase.db.connect(path) as database:
            structures = [_row_to_atoms(row) for row in database.select()]
    except Exception as error:  # SQLite, JSON and ASE each have their own
        raise DataError(f"{path} cannot be read as an ASE database ({error}); check that it is complete.") from error
    return frames_from_atoms(structures, str(path), LabelKeys(energy_key, force_key), units, level_of_theory)


def _row_to_atoms(row: ase.db.row.AtomsRow) -> Atoms:
    atoms = row.toatoms()
    atoms.info.update(row.key_value_pairs)
    for key, value in row.data.items():
        per_atom = getattr(value, "shape", ())[:1] == (len(atoms),) and len(value.shape) == 2
        (atoms.arrays if per_atom else atoms.info)[key] = value
    return atoms
