"""One door to all readers: the suffix, and for npz the content, decides."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Callable, Dict, Sequence, Union

from sakeff.data.frames import Frames, concatenate, load
from sakeff.data.rmd17 import is_rmd17, read_rmd17
from sakeff.errors import ConfigError, DataError

# suffix -> module and function; imported when needed, because ASE is slow to import
ASE_READERS = {
    ".xyz": ("sakeff.data.extxyz", "read_extxyz"),
    ".extxyz": ("sakeff.data.extxyz", "read_extxyz"),
    ".db": ("sakeff.data.asedb", "read_asedb"),
    ".json": ("sakeff.data.asedb", "read_asedb"),
}
SUFFIXES = (".npz", *ASE_READERS)


def read_frames(paths: Union[str, Path, Sequence[Union[str, Path]]], **options: object) -> Frames:
    """Labelled frames from one or several files; `options` go to the reader of each.

    Options: rMD17 `labels`; extxyz and databases `energy_key`, `force_key`, `units`, `level_of_theory`.
    Raises `DataError` for unknown suffixes and unreadable files, `ConfigError` for options the reader does not have.
    """
    several = [paths] if isinstance(paths, (str, Path)) else list(paths)
    return concatenate([_read_one(Path(path), options) for path in several])


def _read_one(path: Path, options: Dict[str, object]) -> Frames:
    try:
        return _reader(path)(path, **options)
    except TypeError as error:
        if "keyword argument" not in str(error):
            raise
        raise ConfigError(f"{path}: an option does not apply to this kind of file ({error}).") from error


def _reader(path: Path) -> Callable[..., Frames]:
    if path.suffix == ".npz":
        return read_rmd17 if is_rmd17(path) else load
    if path.suffix not in ASE_READERS:
        raise DataError(f"{path} has a suffix that no reader knows; use one of {', '.join(SUFFIXES)}.")
    module, function = ASE_READERS[path.suffix]
    return getattr(import_module(module), function)
