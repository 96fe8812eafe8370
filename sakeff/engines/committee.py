"""Committees: models trained for one task. Where they disagree, none of them should be trusted.

H. S. Seung, M. Opper, H. Sompolinsky, COLT 1992, doi:10.1145/130385.130417 (query by committee).
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from sakeff.errors import ConfigError
from sakeff.export.header import ProgramHeader
from sakeff.types import UNKNOWN_LEVEL

T = TypeVar("T")

# What a committee knows beyond the results of its members.
DEVIATIONS = ("energy_std", "forces_std")


def members(model: T | list[T] | tuple[T, ...]) -> list[T]:
    """The models of a list or tuple, or the one model that was given.

    Raises ConfigError for a list of less than two: one model says nothing about its uncertainty.
    """
    if not isinstance(model, (list, tuple)):
        return [model]
    if len(model) < 2:
        raise ConfigError(f"A committee of {len(model)} has no deviation; list two models or more, or give one alone.")
    return list(model)


def check_alike(headers: Sequence[ProgramHeader]) -> None:
    """Raise ConfigError unless all were trained for the same elements, charges and spins, at one level of theory.

    Cutoffs, architectures and precision may differ. A level that is not known fits to any other.
    """
    for name in ("elements", "charges", "spins"):
        found = [sorted(getattr(header, name)) for header in headers]
        different = [one for one in found if one != found[0]]
        if different:
            raise ConfigError(
                f"The models of a committee were trained for different {name} ({found[0]} and {different[0]});"
                " use models trained for the same."
            )
    known = {header.level_of_theory for header in headers if header.level_of_theory is not None}
    levels = sorted(known - {UNKNOWN_LEVEL})
    if len(levels) > 1:
        raise ConfigError(
            f"The models of a committee have different levels of theory ({', '.join(levels)}); use models of one level."
        )


def combined(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """ASE results of M members to those of the committee: the mean of each, and from two members on the deviations.

    energy_std (eV) is the sample standard deviation of the energies; forces_std (N,) see ``force_deviation``.
    """
    if len(results) == 1:
        return results[0]
    mean = {name: np.mean([one[name] for one in results], axis=0) for name in results[0]}
    scalars = {name: float(value) for name, value in mean.items() if np.ndim(value) == 0}
    energy_std = float(np.std([one["energy"] for one in results], ddof=1))
    forces_std = force_deviation(np.stack([one["forces"] for one in results]))
    return {**mean, **scalars, "energy_std": energy_std, "forces_std": forces_std}


def force_deviation(forces: np.ndarray) -> np.ndarray:
    """Standard deviation (N,) eV/A of a force component on each atom, from the forces (M, N, 3) of M members:

        s_i = sqrt( sum_m |F_mi - mean_m F_mi|^2 / (3 (M - 1)) )

    It does not depend on the orientation, and is comparable with a root mean square force error per component.
    """
    return np.sqrt(np.var(forces, axis=0, ddof=1).mean(axis=-1))
