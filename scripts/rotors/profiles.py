"""Energies along torsions: what a potential makes of the clean scans, and how far off it is."""

from typing import NamedTuple

import numpy as np

from rotors.geometry import dihedral
from sakeff.data.frames import Frames
from sakeff.potential import Potential
from sakeff.training.evaluate import evaluate

MILLI = 1000.0


class Profile(NamedTuple):
    """One molecule's scan: angles in degrees, rising, and energies in eV up to a constant."""

    angles: np.ndarray
    energies: np.ndarray


def profiles_of(frames: Frames, energies: np.ndarray) -> dict[str, Profile]:
    """By molecule, from energies (M,) of the frames."""
    angles = np.array([dihedral(frames.frame(i).positions) for i in range(len(frames))])
    found = {}
    for name in dict.fromkeys(frames.groups.tolist()):
        rows = np.flatnonzero(frames.groups == name)
        rows = rows[np.argsort(angles[rows])]
        found[name] = Profile(angles[rows], energies[rows])
    return found


def predicted_profiles(potential: Potential, frames: Frames) -> dict[str, Profile]:
    """By molecule, as the potential has it."""
    return profiles_of(frames, evaluate(potential, frames).energy)


def profile_error(predicted: np.ndarray, reference: np.ndarray) -> float:
    """Root mean square error in meV after the constant between both that makes it least."""
    return MILLI * float(np.std(predicted - reference))


def height(energies: np.ndarray) -> float:
    """From the lowest to the highest point, in meV."""
    return MILLI * float(np.ptp(energies))
