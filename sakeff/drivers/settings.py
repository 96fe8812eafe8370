"""What to simulate."""

from dataclasses import dataclass

import numpy as np

from sakeff.drivers.deviation import MAX_DEVIATION, check_threshold
from sakeff.drivers.watch import MAX_STRETCH
from sakeff.errors import ConfigError

ENSEMBLES = ("nve", "nvt")
FS_PER_PS = 1000.0
LARGEST_SEED = 2**31 - 1  # OpenMM's seeds have 32 bits, and ours are shifted by one there


@dataclass(frozen=True)
class MdSettings:
    """What to simulate. ``log_every`` and the other intervals count steps.

    ``friction`` (1/ps) is that of the Langevin thermostat of NVT. ``max_stretch`` is the ratio at which a bond counts
    as exploded. Where the forces of a committee deviate by more than ``max_deviation`` (eV/A), there is a warning.
    Raises ConfigError for values that make no sense.
    """

    steps: int
    ensemble: str = "nvt"
    timestep_fs: float = 0.5
    temperature: float = 300.0
    friction: float = 1.0
    seed: int = 0
    log_every: int = 20
    frame_every: int = 20
    checkpoint_every: int = 2000
    max_stretch: float = MAX_STRETCH
    max_deviation: float = MAX_DEVIATION

    def __post_init__(self) -> None:
        if self.ensemble not in ENSEMBLES:
            raise ConfigError(f"Unknown ensemble {self.ensemble!r}; choose one of {list(ENSEMBLES)}.")
        for name in ("timestep_fs", "temperature", "friction", "log_every", "frame_every", "checkpoint_every"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"{name} is {getattr(self, name)}; give a finite number above zero.")
        if self.steps < 0 or self.max_stretch <= 1:
            raise ConfigError("steps must not be negative and max_stretch must be above 1; correct them.")
        if not 0 <= self.seed < LARGEST_SEED:
            raise ConfigError(f"seed is {self.seed}; give a number from 0 to {LARGEST_SEED - 1}.")
        check_threshold(self.max_deviation)
        if self.frame_every % self.log_every or self.checkpoint_every % self.log_every:
            raise ConfigError(
                f"frame_every and checkpoint_every must be multiples of log_every ({self.log_every}); adjust them."
            )


def steps_in(picoseconds: float, timestep_fs: float) -> int:
    """Number of steps nearest to that time; raises ConfigError unless both are finite and the step is above zero."""
    if not (np.isfinite(picoseconds) and np.isfinite(timestep_fs) and picoseconds >= 0 and timestep_fs > 0):
        raise ConfigError(f"{picoseconds} ps in steps of {timestep_fs} fs make no sense; give finite positive numbers.")
    return round(picoseconds * FS_PER_PS / timestep_fs)
