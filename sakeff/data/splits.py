"""Seeded splits into training, validation and test frames."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, NamedTuple, Optional, Union

import numpy as np

from sakeff.data.frames import Frames
from sakeff.errors import DataError

Amount = Union[int, float]


class Split(NamedTuple):
    """Indices of frames; the three sets share none."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def frames_as_units(frames: Frames) -> np.ndarray:
    """Every frame on its own."""
    return np.arange(len(frames))


def groups_as_units(frames: Frames) -> np.ndarray:
    """All frames of a group stay together, so that no molecule is in two sets."""
    return frames.group


UNITS: Dict[str, Callable[[Frames], np.ndarray]] = {"frame": frames_as_units, "group": groups_as_units}


def split_frames(
    frames: Frames, train: Amount, validation: Amount, test: Optional[Amount] = None, seed: int = 0, by: str = "frame"
) -> Split:
    """A random split that depends on `seed` alone.

    `train`, `validation` and `test` count units (frames, or groups with `by="group"`) if they are integers and are
    fractions of all units if they are floats below 1. Without `test` it is what remains. Raises `DataError` if there
    are not enough units.
    """
    if by not in UNITS:
        raise DataError(f"frames cannot be split by {by!r}; choose one of {sorted(UNITS)}.")
    unit = UNITS[by](frames)
    units = np.random.default_rng(seed).permutation(np.unique(unit))
    first, second = (_count(amount, len(units)) for amount in (train, validation))
    third = len(units) - first - second if test is None else _count(test, len(units))
    if first < 1 or third < 0 or first + second + third > len(units):
        raise DataError(
            f"{train} for training, {validation} for validation and {test} for testing do not fit into "
            f"{len(units)} {by}s; ask for less."
        )
    chosen = np.split(units[: first + second + third], [first, first + second])
    return Split(*[np.flatnonzero(np.isin(unit, part)) for part in chosen])


def read_split_file(path: Union[str, Path]) -> np.ndarray:
    """Indices of a published split, one per line (the `index_train_01.csv` of rMD17), (K,) int64."""
    try:
        return np.loadtxt(path, dtype=np.int64, ndmin=1)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no list of frame indices, one per line ({error}).") from error


def _count(amount: Amount, total: int) -> int:
    if amount < 0:
        raise DataError(f"a set of {amount} is not possible; use a count or a fraction.")
    return round(amount * total) if isinstance(amount, float) and amount < 1 else int(amount)
