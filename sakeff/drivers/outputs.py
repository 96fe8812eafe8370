"""Files that grow during a run: CSV log, extxyz and DCD trajectories.

Each is flushed after every record. ``mark()`` says where a file ends, and opening it with such a mark cuts off what a
killed run wrote after it, so that a resumed run appends without doubled or torn records.
"""

import csv
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from sakeff.data.atoms import ENERGY_KEYS, FORCE_KEYS
from sakeff.drivers.topology import box_of, topology_of
from sakeff.errors import EngineUnavailableError, OutputError
from sakeff.io import refuse_existing, write_text
from sakeff.units import ANGSTROM_PER_NM


class Mark(NamedTuple):
    """Where a growing file ends: its size in bytes and number of records."""

    size: int
    records: int


START = Mark(0, 0)
LABELS = {*ENERGY_KEYS, *FORCE_KEYS, "stress", "REF_stress", "ref_stress", "dft_stress", "virial", "REF_virial"}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError (disk full, no permission) into an OutputError that names the file."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise OutputError(f"{path} cannot be written ({reason}); free some space or choose another folder.") from error


def open_growing(path: Path, mark: Mark | None, overwrite: bool) -> BinaryIO:
    """A new file, or an existing one cut off at ``mark``. Raises OutputExistsError or OutputError."""
    if mark is None:
        refuse_existing(path, overwrite)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("w+b")
    if not path.is_file() or path.stat().st_size < mark.size:
        raise OutputError(f"{path} is missing or shorter than at the checkpoint; restore it or start a new run.")
    with writing(path):
        stream = path.open("r+b")
        stream.truncate(mark.size)
        stream.seek(mark.size)
        return stream


class GrowingFile:
    """Common part of all growing files: opening, closing and the mark."""

    def __init__(self, path: Path, mark: Mark | None = None, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.stream = open_growing(self.path, mark, overwrite)
        self.records = (mark or START).records

    def append(self, content: bytes) -> None:
        """One record, flushed. Raises OutputError."""
        with writing(self.path):
            self.stream.write(content)
            self.stream.flush()
        self.records += 1

    def mark(self) -> Mark:
        """The end of the file, for a checkpoint."""
        self.stream.seek(0, io.SEEK_END)
        return Mark(self.stream.tell(), self.records)

    def close(self) -> None:
        """Close the file; a disk that is full is reported by the write before."""
        with writing(self.path):
            self.stream.close()


class CsvLog(GrowingFile):
    """Rows of numbers under a header; ``previous`` are the rows before the mark."""

    def __init__(self, path: Path, columns: tuple[str, ...], mark: Mark | None = None, overwrite: bool = False) -> None:
        super().__init__(path, mark, overwrite)
        self.previous: list[tuple[float, ...]] = []
        if mark is None:
            self.append((",".join(columns) + "\n").encode())
        else:
            self.stream.seek(0)
            lines = csv.reader(io.StringIO(self.stream.read().decode()))
            self.previous = [tuple(float(cell) for cell in row) for row in list(lines)[1:]]

    def write(self, row: tuple[float, ...]) -> None:
        """One row; floats are written so that they read back exactly."""
        self.append((",".join(repr(value) for value in row) + "\n").encode())


class ExtxyzTrajectory(GrowingFile):
    """Frames in extended XYZ, with energy and whatever ``info`` says."""

    def write(self, atoms: Atoms, potential: float, forces: np.ndarray | None = None, **info: Any) -> None:
        """Append one frame."""
        self.append(extxyz_text(atoms, potential, forces, **info).encode())


class DcdTrajectory(GrowingFile):
    """Frames in DCD through OpenMM's writer, and the topology that readers need as ``<name>.pdb`` beside it."""

    def __init__(
        self, path: Path, atoms: Atoms, interval_ps: float, mark: Mark | None = None, overwrite: bool = False
    ) -> None:
        try:
            from openmm.app import DCDFile
        except ImportError as error:
            raise EngineUnavailableError(
                "DCD files need OpenMM: pip install 'sakeff[openmm]', or write an .xyz trajectory."
            ) from error
        topology = topology_of(atoms)
        self._rotation = box_of(atoms).rotation  # into the orientation of OpenMM's box, which both files hold
        if mark is None:
            write_text(Path(path).with_suffix(".pdb"), pdb_text(topology, self._rotated(atoms)), overwrite)
        super().__init__(path, mark, overwrite)
        if mark is not None:
            self._set_frame_count(mark.records)
        with writing(self.path):
            self._file = DCDFile(self.stream, topology, interval_ps, append=mark is not None)
        self._box = topology.getPeriodicBoxVectors()

    def write(self, atoms: Atoms, potential: float, forces: np.ndarray | None = None, **info: Any) -> None:
        """Append the positions of one frame; DCD has no place for the rest."""
        with writing(self.path):
            self._file.writeModel(self._rotated(atoms) / ANGSTROM_PER_NM, periodicBoxVectors=self._box)
        self.records += 1

    def _rotated(self, atoms: Atoms) -> np.ndarray:
        return atoms.positions @ self._rotation.T

    def _set_frame_count(self, frames: int) -> None:
        """The header counts frames at byte 8; the appending writer believes it."""
        with writing(self.path):
            self.stream.seek(8)
            self.stream.write(struct.pack("<i", frames))
            self.stream.flush()


def open_trajectory(
    path: Path, atoms: Atoms, interval_ps: float, mark: Mark | None = None, overwrite: bool = False
) -> ExtxyzTrajectory | DcdTrajectory:
    """DCD for names that end in .dcd, extended XYZ for all others."""
    if Path(path).suffix == ".dcd":
        return DcdTrajectory(path, atoms, interval_ps, mark, overwrite)
    return ExtxyzTrajectory(path, mark, overwrite)


def extxyz_text(atoms: Atoms, potential: float, forces: np.ndarray | None = None, **info: Any) -> str:
    """One structure with its energy (eV), forces (eV/A) if given, and momenta if it has any.

    Labels that came with the structure are left out: they belong to other positions, or to another method.
    """
    frame = atoms.copy()
    frame.info = {key: value for key, value in frame.info.items() if key not in LABELS}
    for key in LABELS & frame.arrays.keys():
        del frame.arrays[key]
    frame.info.update(info)
    results = {"energy": potential} if forces is None else {"energy": potential, "forces": forces}
    frame.calc = SinglePointCalculator(frame, **results)
    text = io.StringIO()
    write_extxyz(text, [frame])
    return text.getvalue()


def pdb_text(topology: Any, positions: np.ndarray) -> str:
    """A PDB file of an OpenMM topology and positions (A)."""
    from openmm import unit
    from openmm.app import PDBFile

    text = io.StringIO()
    PDBFile.writeFile(topology, positions * unit.angstrom, text)
    return text.getvalue()
