"""From what a user calls a model to an ASE calculator."""

from pathlib import Path
from typing import Any

from ase.calculators.calculator import BaseCalculator


def calculator_for(model: str | Path | list | tuple | BaseCalculator, **options: Any) -> BaseCalculator:
    """The calculator of a model name, folder or exported file, or of a list of them (a committee), or the one given.

    ``options``: device, dtype, skin.
    """
    if isinstance(model, (str, Path, list, tuple)):
        import sakeff

        return sakeff.SAKECalculator(model, **options)
    return model
