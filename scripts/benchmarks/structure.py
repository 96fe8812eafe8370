"""What a worker is given: a structure as plain arrays, and the motion between two repetitions."""

from typing import Any, NamedTuple

import numpy as np

# A, per coordinate: about one step of 0.5 fs at 300 K.
MOTION = 0.003
LARGEST_MOTION = 0.009
JUMP = 0.5


class Structure(NamedTuple):
    """One structure; ``cell`` (rows, A) is zero where it is open."""

    name: str
    numbers: np.ndarray  # (N,)
    positions: np.ndarray  # (N, 3), A
    cell: np.ndarray  # (3, 3)
    periodic: bool


def to_message(structure: Structure) -> dict[str, Any]:
    """The structure as JSON can hold it."""
    return {
        "name": structure.name,
        "numbers": structure.numbers.tolist(),
        "positions": structure.positions.tolist(),
        "cell": structure.cell.tolist(),
        "periodic": structure.periodic,
    }


def from_message(message: dict[str, Any]) -> Structure:
    """The structure back from ``to_message``."""
    return Structure(
        message["name"],
        np.array(message["numbers"], dtype=np.int64),
        np.array(message["positions"], dtype=np.float64),
        np.array(message["cell"], dtype=np.float64),
        bool(message["periodic"]),
    )


def moved(structure: Structure, repetition: int, jump: bool = False) -> np.ndarray:
    """Positions (N, 3) of one repetition: each atom a little off its place, the same for every package.

    With ``jump``, every second repetition is also shifted as a whole, far enough that a list with a skin is made anew.
    """
    shift = np.random.default_rng([20, repetition]).normal(scale=MOTION, size=structure.positions.shape)
    rigid = JUMP * (repetition % 2) if jump else 0.0
    return structure.positions + np.clip(shift, -LARGEST_MOTION, LARGEST_MOTION) + rigid
