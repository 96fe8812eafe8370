"""Extended XYZ files, read by ASE."""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union

import ase.io

from sakeff.data.atoms import LabelKeys, frames_from_atoms
from sakeff.data.frames import Frames
from sakeff.errors import DataError


def read_extxyz(
    path: Union[str, Path],
    energy_key: Optional[str] = None,
    force_key: Optional[str] = None,
    units: str = "eV",
    level_of_theory: Optional[str] = None,
) -> Frames:
    """All structures of an extended XYZ file; see `frames_from_atoms` for keys and units. Raises `DataError`."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path.")
    try:
        structures = list(ase.io.iread(path, index=":", format="extxyz"))
    except Exception as error:  # ASE's parsers raise whatever the text makes them trip over
        raise DataError(f"{path} cannot be read as extended XYZ ({error}); check that it is complete.") from error
    return frames_from_atoms(structures, str(path), LabelKeys(energy_key, force_key), units, level_of_theory)
