"""Bundled structures, and reading any other.

``<name>.xyz`` is a start structure, ``<name>_gfn2.xyz`` the GFN2-xTB minimum reached from it.
"""

from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms

from sakeff.errors import StructureError

FOLDER = Path(__file__).resolve().parent


def list_structures() -> list[str]:
    """Names of the bundled structures."""
    return sorted(path.stem for path in FOLDER.glob("*.xyz"))


def load_structure(name: str) -> Atoms:
    """The bundled structure called ``name``; raises StructureError that lists the names."""
    if name not in list_structures():
        raise StructureError(f"No bundled structure {name!r}; choose one of {list_structures()}.")
    return read_structure(FOLDER / f"{name}.xyz")


def read_structure(name_or_path: str | Path) -> Atoms:
    """A bundled name or any file that ASE reads (its last frame), checked to be a usable structure.

    Raises StructureError if the file is missing, cannot be read, or holds no atoms or non-finite positions.
    """
    path = Path(name_or_path)
    if str(name_or_path) in list_structures():
        path = FOLDER / f"{name_or_path}.xyz"
    if not path.is_file():
        raise StructureError(f"No structure {str(path)!r}: give a file that ASE reads or one of {list_structures()}.")
    try:
        atoms: Any = ase.io.read(path)
    except Exception as error:  # ASE's readers raise whatever they stumble over
        raise StructureError(f"{path} is no readable structure ({first_line(error)}); check its format.") from error
    if len(atoms) == 0:
        raise StructureError(f"{path} has no atoms; give a structure with at least one.")
    if not np.isfinite(atoms.positions).all():
        raise StructureError(f"{path} has positions that are not finite; mend the file.")
    return atoms


def first_line(error: Exception) -> str:
    """What an exception says, short enough for a sentence."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
