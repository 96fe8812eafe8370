"""Symmetries of charged particles that no architecture has by itself, built into the samples.

Each function maps samples to equivalent ones, the same for a whole class of systems, so that a forecaster obeys the
symmetry exactly. Errors do not change: what is taken from the targets is known.
"""

from __future__ import annotations

from typing import Callable, Dict, List

import numpy as np

from sakeff.forecasting.task import Samples

Symmetry = Callable[[Samples], Samples]


def majority_positive(samples: Samples) -> Samples:
    """Charge conjugation: only products of charges matter, so the majority may be called positive.

    Systems without a majority are left as they are.
    """
    total = samples.charges.sum(axis=1, keepdims=True)
    return samples._replace(charges=samples.charges * np.where(total < 0, -1.0, 1.0))


def at_rest(samples: Samples) -> Samples:
    """Galilean invariance: velocities relative to the centre of mass, which moves uniformly.

    Its displacement ``duration x velocity`` is taken from the targets; changes of velocity stay as they are.
    """
    drift = samples.velocities.mean(axis=1, keepdims=True)
    changes = samples.changes - samples.uniform[:, None] * drift[:, :, None]
    return samples._replace(velocities=samples.velocities - drift, changes=changes)


SYMMETRIES: Dict[str, Symmetry] = {"charge_conjugation": majority_positive, "galilean": at_rest}


def apply_symmetries(names: List[str], samples: Samples) -> Samples:
    """Those of `SYMMETRIES` with these names, one after the other."""
    for name in names:
        samples = SYMMETRIES[name](samples)
    return samples
