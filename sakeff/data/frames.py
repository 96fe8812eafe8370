"""`Frames`: labelled structures in flat arrays, and the one file format they are kept in (npz)."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sakeff.errors import DataError
from sakeff.io import atomic_path

FORMAT = "sakeff-frames-1"
UNITS = "eV, angstrom"
UNGROUPED = "ungrouped"

# field -> (dtype, trailing shape, what its first axis counts)
_LAYOUT = {
    "numbers": (np.int16, (), "atoms"),
    "positions": (np.float64, (3,), "atoms"),
    "forces": (np.float64, (3,), "atoms"),
    "energy": (np.float64, (), "frames"),
    "cell": (np.float64, (3, 3), "frames"),
    "pbc": (np.bool_, (3,), "frames"),
    "charge": (np.float64, (), "frames"),
    "spin": (np.float64, (), "frames"),
    "group": (np.int32, (), "frames"),
    "offsets": (np.int64, (), "offsets"),
}


@dataclass(frozen=True, eq=False)
class Frames:
    """M structures of A atoms in all, with their labels. Immutable: the arrays are read-only.

    Frame i owns the atoms `offsets[i]:offsets[i + 1]`. Frames of one molecule share a `group`, so that a split can keep
    whole molecules together.

    | field | shape | meaning |
    | --- | --- | --- |
    | `numbers` | (A,) int16 | atomic numbers |
    | `positions` | (A, 3) | Angstrom |
    | `forces` | (A, 3) | eV/Angstrom |
    | `energy` | (M,) | eV; NaN where there is no label |
    | `offsets` | (M + 1,) int64 | first atom of each frame, then A |
    | `cell` | (M, 3, 3) | rows, Angstrom |
    | `pbc` | (M, 3) bool | periodic directions |
    | `charge` | (M,) | elementary charges |
    | `spin` | (M,) | number of unpaired electrons (multiplicity - 1) |
    | `group` | (M,) int32 | index into `group_names` |
    | `group_names` | (G,) str | for example canonical SMILES |
    | `level_of_theory` | str | one for all frames |

    Raises `DataError` if the arrays do not fit together.
    """

    numbers: np.ndarray
    positions: np.ndarray
    forces: np.ndarray
    energy: np.ndarray
    offsets: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray
    charge: np.ndarray
    spin: np.ndarray
    group: np.ndarray
    group_names: np.ndarray
    level_of_theory: str

    def __post_init__(self) -> None:
        for name, (dtype, _, _) in _LAYOUT.items():
            object.__setattr__(self, name, _read_only(name, getattr(self, name), dtype))
        object.__setattr__(self, "group_names", _read_only("group_names", self.group_names, np.str_))
        object.__setattr__(self, "level_of_theory", str(self.level_of_theory))
        _validate(self)

    @classmethod
    def build(
        cls,
        numbers: Sequence[np.ndarray],
        positions: Sequence[np.ndarray],
        forces: Sequence[np.ndarray],
        energy: Sequence[float],
        level_of_theory: str,
        cell: np.ndarray | None = None,
        pbc: np.ndarray | None = None,
        charge: np.ndarray | float = 0.0,
        spin: np.ndarray | float = 0.0,
        groups: Sequence[str] | str = UNGROUPED,
    ) -> Frames:
        """Frames from one array per structure: `numbers` (n,), `positions` and `forces` (n, 3), and one energy each.

        `charge`, `spin` and `groups` may be one value for all. Without `cell` and `pbc` the structures are open.
        """
        count = len(numbers)
        for name, given in (("positions", positions), ("forces", forces)):
            if [len(a) for a in given] != [len(a) for a in numbers]:
                raise DataError(f"{name} and numbers differ in their atoms; give one row of {name} for each atom.")
        names, group = np.unique(np.broadcast_to(np.asarray(groups, np.str_), (count,)), return_inverse=True)
        return cls(
            numbers=np.concatenate([np.zeros(0, np.int16), *numbers]),
            positions=np.concatenate([np.zeros((0, 3)), *positions]),
            forces=np.concatenate([np.zeros((0, 3)), *forces]),
            energy=np.asarray(energy, np.float64),
            offsets=_offsets(np.array([len(a) for a in numbers], np.int64)),
            cell=np.zeros((count, 3, 3)) if cell is None else cell,
            pbc=np.zeros((count, 3), bool) if pbc is None else pbc,
            charge=np.broadcast_to(charge, (count,)),
            spin=np.broadcast_to(spin, (count,)),
            group=group,
            group_names=names,
            level_of_theory=level_of_theory,
        )

    def __len__(self) -> int:
        return len(self.energy)

    @property
    def n_atoms(self) -> np.ndarray:
        """Atoms of each frame, (M,)."""
        return np.diff(self.offsets)

    @property
    def groups(self) -> np.ndarray:
        """Name of each frame's group, (M,)."""
        return self.group_names[self.group]

    def frame(self, index: int) -> Frames:
        """The frame at `index` (negative counts from the end), as `Frames` of length one."""
        if not -len(self) <= index < len(self):
            raise DataError(f"frame {index} does not exist; there are {len(self)} frames, counted from 0.")
        return self.select([index % len(self)])

    def select(self, indices: Sequence[int] | np.ndarray | slice) -> Frames:
        """The frames at `indices` (integers, a boolean mask or a slice), in that order."""
        chosen = np.arange(len(self))[indices if isinstance(indices, slice) else _as_index(indices)]
        counts = self.n_atoms[chosen]
        offsets = _offsets(counts)
        atoms = np.arange(offsets[-1]) + np.repeat(self.offsets[chosen] - offsets[:-1], counts)
        used, group = np.unique(self.group[chosen], return_inverse=True)
        rows = {"atoms": atoms, "frames": chosen}
        arrays = {name: getattr(self, name)[rows[axis]] for name, (_, _, axis) in _LAYOUT.items() if axis in rows}
        arrays.update(offsets=offsets, group=group, group_names=self.group_names[used])
        return Frames(**arrays, level_of_theory=self.level_of_theory)

    def save(self, path: str | os.PathLike, overwrite: bool = False) -> None:
        """Write an npz file. It appears complete or not at all; an existing one is kept unless `overwrite`."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        with atomic_path(Path(path), overwrite) as temporary, temporary.open("wb") as stream:
            content: dict[str, Any] = {**arrays, "format": np.asarray(FORMAT), "units": np.asarray(UNITS)}
            np.savez_compressed(stream, **content)

    def sha256(self) -> str:
        """Hash of the content (not of the file): equal for equal arrays, names and level of theory."""
        digest = hashlib.sha256(FORMAT.encode())
        for field in fields(self):
            value = getattr(self, field.name)
            text = field.name == "group_names" or isinstance(value, str)
            payload = "\0".join(np.atleast_1d(value)).encode() if text else np.ascontiguousarray(value).tobytes()
            digest.update(f"|{field.name}:{np.shape(value)}:{len(payload)}|".encode())
            digest.update(payload)
        return digest.hexdigest()


def concatenate(parts: Iterable[Frames]) -> Frames:
    """All frames of `parts` in order; groups of the same name become one. The levels of theory must agree."""
    parts = list(parts)
    if not parts:
        raise DataError("there is nothing to concatenate; give at least one set of frames.")
    levels = sorted({part.level_of_theory for part in parts})
    if len(levels) > 1:
        raise DataError(f"the levels of theory differ ({', '.join(levels)}); labels of different methods do not mix.")
    stacked = [name for name, (_, _, axis) in _LAYOUT.items() if axis in ("atoms", "frames") and name != "group"]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in stacked}
    names, group = np.unique(np.concatenate([part.groups for part in parts]), return_inverse=True)
    offsets = _offsets(np.concatenate([part.n_atoms for part in parts]))
    return Frames(**arrays, offsets=offsets, group=group, group_names=names, level_of_theory=levels[0])


def load(path: str | os.PathLike) -> Frames:
    """Read what `Frames.save` wrote. Raises `DataError` for any other file; nothing in the file is executed."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; check the path.")
    try:
        content = _arrays(path)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no readable npz file ({error}); it may be cut short, so make it again.") from error
    _check_key(path, content, "format", FORMAT)
    _check_key(path, content, "units", UNITS)
    missing = [field.name for field in fields(Frames) if field.name not in content]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}; write it with Frames.save.")
    values: dict[str, Any] = {field.name: content[field.name] for field in fields(Frames)}
    return Frames(**values)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as stream, zipfile.ZipFile(stream):  # numpy alone would take other kinds of files as well
        stream.seek(0)
        with np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


def _read_only(name: str, value: object, dtype: type) -> np.ndarray:
    try:
        array: np.ndarray = np.array(value, dtype=dtype)  # a copy: the caller's array stays writeable and apart
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} cannot be read as {np.dtype(dtype).name} ({error}).") from error
    array.setflags(write=False)
    return array


def _as_index(indices: Sequence[int] | np.ndarray) -> np.ndarray:
    array = np.asarray(indices)
    return array if array.size else array.astype(np.int64)


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _validate(frames: Frames) -> None:
    """The one place that says what fits together."""
    length = {"atoms": len(frames.numbers), "frames": np.size(frames.energy), "offsets": np.size(frames.energy) + 1}
    for name, (_, tail, axis) in _LAYOUT.items():
        expected = (length[axis], *tail)
        if getattr(frames, name).shape != expected:
            raise DataError(f"{name} has shape {getattr(frames, name).shape} where {expected} is needed.")
    offsets = frames.offsets
    if offsets[0] != 0 or offsets[-1] != length["atoms"] or np.any(np.diff(offsets) <= 0):
        raise DataError("offsets must rise from 0 to the number of atoms, with at least one atom in each frame.")
    if np.any(frames.numbers < 1) or np.any(frames.numbers > 118):
        raise DataError("numbers holds something that is no atomic number; use 1 to 118.")
    for name in ("positions", "forces", "cell", "charge", "spin"):
        if not np.all(np.isfinite(getattr(frames, name))):
            raise DataError(f"{name} holds NaN or infinite values; remove those frames.")
    if np.any(np.isinf(frames.energy)):
        raise DataError("energy holds infinite values; use NaN where there is no energy label.")
    _validate_groups(frames)


def _validate_groups(frames: Frames) -> None:
    names = frames.group_names
    if names.ndim != 1 or len(np.unique(names)) != len(names):
        raise DataError("group_names must be a list of different names.")
    if np.any(frames.group < 0) or np.any(frames.group >= len(names)):
        raise DataError("group points outside group_names.")


def _check_key(path: Path, content: dict, key: str, expected: str) -> None:
    if key not in content:
        raise DataError(f"{path} has no {key!r} key; it is not a file of frames, write one with Frames.save.")
    if str(content[key]) != expected:
        raise DataError(f"{path} has {key} {str(content[key])!r} where {expected!r} is needed; convert it first.")
