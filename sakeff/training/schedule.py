"""Learning-rate factor as a pure function of the step: nothing to store, so a resumed run follows the same curve."""

from __future__ import annotations

import math
from functools import partial
from typing import Callable

Schedule = Callable[[int], float]


def constant(step: int) -> float:  # noqa: ARG001
    """1."""
    return 1.0


def cosine(step: int, steps: int, final: float) -> float:
    """From 1 at step 0 to `final` at `steps` along half a cosine; `final` afterwards."""
    progress = min(step / max(steps, 1), 1.0)
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def exponential(step: int, half_life: float, final: float) -> float:
    """2^(-step / half_life), not below `final` (So3krates, A.13: halved every 1000 epochs)."""
    return max(0.5 ** (step / half_life), final)


def warm_up(step: int, warmup: int, then: Schedule) -> float:
    """Rises linearly to the value of `then` within `warmup` steps: factor (step + 1) / warmup."""
    return min((step + 1) / max(warmup, 1), 1.0) * then(step)


def with_warm_up(warmup: int, then: Schedule) -> Schedule:
    """`then` with a linear rise in front."""
    return partial(warm_up, warmup=warmup, then=then)
