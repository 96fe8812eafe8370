"""From what a user calls a model to an ASE calculator."""

from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator


def calculator_for(model: str | Path | BaseCalculator, **options: Any) -> BaseCalculator:
    """The calculator of a model name, folder or exported file (``options``: device, dtype, skin), or the one given."""
    if isinstance(model, (str, Path)):
        import sakeff

        return sakeff.SAKECalculator(model, **options)
    return model
