"""The warning that the models of a committee disagree about a force."""

import logging

import numpy as np
from ase import Atoms

from sakeff.errors import ConfigError

logger = logging.getLogger(__name__)

# eV/A for a force component: a quarter of its root mean square in organic molecules at 300 K (about 1.2), and more than
# twice the root mean square error of the bundled general models on molecules they were not trained on.
MAX_DEVIATION = 0.3


def deviation_of(atoms: Atoms) -> np.ndarray | None:
    """Force deviation (N,) eV/A in the last results of the calculator; None unless it is a committee."""
    return getattr(atoms.calc, "results", {}).get("forces_std")


def check_threshold(max_deviation: float) -> None:
    """Raise ConfigError unless it is above zero; infinity asks for no warning."""
    if not max_deviation > 0:
        raise ConfigError(f"max_deviation is {max_deviation}; give a number above zero, or inf for no warning.")


class Doubt:
    """Warns once, when the force deviation of an atom exceeds ``max_deviation`` (eV/A)."""

    def __init__(self, atoms: Atoms, max_deviation: float = MAX_DEVIATION) -> None:
        check_threshold(max_deviation)
        self.symbols, self.max_deviation, self.warned = atoms.get_chemical_symbols(), max_deviation, False

    def check(self, deviation: np.ndarray | None, step: int) -> None:
        """``deviation`` (N,) eV/A at this step, or None where there is no committee."""
        if deviation is None or self.warned or not deviation.max(initial=0.0) > self.max_deviation:
            return
        worst = int(np.argmax(deviation))
        self.warned = True
        logger.warning(
            "The models disagree about the force on %s%d at step %d: deviation %.3g eV/A, more than %.3g; do not trust"
            " what follows without a reference calculation. Later disagreements are not reported.",
            self.symbols[worst], worst, step, deviation[worst], self.max_deviation,
        )  # fmt: skip
