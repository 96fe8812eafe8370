"""Per-element reference energies and energy scale of a training set, and the constant of force-only training."""

from __future__ import annotations

import numpy as np
import torch

from sakeff.data.frames import Frames
from sakeff.errors import DataError
from sakeff.potential import Potential

MAX_ATOMIC_NUMBER = 118
RIDGE = 1e-12  # relative to the mean diagonal: decides only what the data leave open


def composition(frames: Frames) -> np.ndarray:
    """How many atoms of each element every frame has, (M, 119); row sums are the numbers of atoms."""
    counts = np.zeros((len(frames), MAX_ATOMIC_NUMBER + 1))
    np.add.at(counts, (np.repeat(np.arange(len(frames)), frames.n_atoms), frames.numbers), 1.0)
    return counts


def fit_energies(frames: Frames, targets: np.ndarray) -> np.ndarray:
    """Element energies e (119,) that minimise ``sum_s (targets_s - sum_Z n_sZ e_Z)^2 + lambda |e|^2`` (eV).

    Ridge, because a data set of one composition determines only the total: it is then shared out in proportion to the
    number of atoms of each element. Frames whose target is NaN do not count; without any, the energies are zero.
    """
    labelled = np.isfinite(targets)
    counts = composition(frames)[labelled]
    present = np.flatnonzero(counts.any(axis=0))
    energies = np.zeros(MAX_ATOMIC_NUMBER + 1)
    if len(present):
        matrix = counts[:, present]
        ridge = np.sqrt(RIDGE * (matrix**2).sum() / len(present)) * np.eye(len(present))
        padded = np.concatenate([targets[labelled], np.zeros(len(present))])
        energies[present] = np.linalg.lstsq(np.concatenate([matrix, ridge]), padded, rcond=None)[0]
    return energies


def force_scale(frames: Frames) -> float:
    """Root mean square of the force components (eV/A): the size of what the network has to say."""
    scale = float(np.sqrt(np.mean(frames.forces**2)))
    if scale == 0.0:
        raise DataError("all forces of the training set are zero; check the labels.")
    return scale


def set_reference(potential: Potential, energies: np.ndarray, scale: float) -> None:
    """Write reference energies (119,) in eV and the scale into the potential, in place."""
    with torch.no_grad():
        potential.reference.energies.copy_(torch.as_tensor(energies))
        potential.reference.scale.fill_(scale)


def shift_energies(potential: Potential, frames: Frames, predicted: np.ndarray) -> None:
    """Add the integration constant to the reference energies after training on forces alone.

    For one composition it is ``c = mean(E - f_E)``: So3krates, eq. 39, whose sign of f_E is mended here (eq. 38 follows
    from eq. 36 with a minus). For several compositions c becomes one constant for each element, fitted by ridge.
    `predicted` (M,) are the energies f_E of `frames` in eV.
    """
    energies = fit_energies(frames, frames.energy - predicted)
    with torch.no_grad():
        potential.reference.energies.add_(torch.as_tensor(energies, device=potential.reference.energies.device))
