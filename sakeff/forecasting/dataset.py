"""Trajectories on disk: one compressed file for each of the sets train, validation and test."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

import numpy as np

from sakeff.errors import DataError
from sakeff.forecasting.charged import Protocol, Trajectories, draw, simulate
from sakeff.io import atomic_path, refuse_existing

SETS = ("train", "validation", "test")
SIZES = {"train": 3000, "validation": 2000, "test": 2000}
FORMAT = "sakeff-trajectories-1"


class StoredSet(NamedTuple):
    """What a file holds: trajectories, and the protocol and seed they come from."""

    trajectories: Trajectories
    origin: Dict[str, Any]

    def sha256(self) -> str:
        """Hash of every number."""
        digest = hashlib.sha256()
        for array in self.trajectories:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class Sets(NamedTuple):
    """The three sets of a task."""

    train: StoredSet
    validation: StoredSet
    test: StoredSet


def generate(folder: Path, seed: int, sizes: Dict[str, int], protocol: Protocol, overwrite: bool = False) -> List[Path]:
    """Simulate and write `SETS`; a set is a function of seed, its name, its size and the protocol. Returns the files.

    Raises `OutputExistsError` before any work, `OutputError`, and `ConfigError` for a protocol without frames.
    """
    paths = [set_path(folder, name) for name in SETS]
    for path in paths:
        refuse_existing(path, overwrite)
    for index, (name, path) in enumerate(zip(SETS, paths, strict=True)):
        start = draw(np.random.default_rng([seed, index]), sizes[name], protocol)
        origin = {"set": name, "seed": seed, "protocol": protocol._asdict()}
        save(path, StoredSet(simulate(start, protocol), origin), overwrite)
    return paths


def set_path(folder: Path, name: str) -> Path:
    """The file of one set."""
    return Path(folder) / f"{name}.npz"


def save(path: Path, stored: StoredSet, overwrite: bool = False) -> None:
    """Write one file atomically, floating numbers in single precision. Raises `OutputExistsError`, `OutputError`."""
    arrays = stored.trajectories._asdict()
    single = {k: a.astype(np.float32) if a.dtype == np.float64 else a for k, a in arrays.items()}
    header = json.dumps({"format": FORMAT, **stored.origin})
    with atomic_path(path, overwrite) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, header=np.array(header), **single)


def load(path: Path) -> StoredSet:
    """Read one file. Raises `DataError` if it is missing, damaged or of another kind."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; generate the data set first or name its folder.")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            trajectories = Trajectories(*[arrays[name] for name in Trajectories._fields])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} holds no trajectories or is damaged ({error}); generate it again.") from error
    if header.pop("format", None) != FORMAT:
        raise DataError(f"{path} has another format than {FORMAT!r}; generate it again.")
    return StoredSet(trajectories, header)


def load_sets(folder: Path) -> Sets:
    """Training, validation and test trajectories of a folder. Raises `DataError` as `load` does."""
    return Sets(*[load(set_path(folder, name)) for name in SETS])
