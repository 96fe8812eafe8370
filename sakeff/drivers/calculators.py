"""From what a user calls a model to an ASE calculator, and to what tells it from other models."""

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


def identity(model: Any) -> list[str]:
    """What must be the same for the same energies: hashes of weights; of foreign calculators only the type is known."""
    from sakeff import SAKECalculator
    from sakeff.zoo import fingerprint

    if isinstance(model, (list, tuple)):
        return [part for one in model for part in identity(one)]
    if isinstance(model, (str, Path)):
        return [fingerprint(model)]
    if isinstance(model, SAKECalculator):
        return [one.header.weights_sha256 for one in (model, *model.others)]
    return [f"{type(model).__module__}.{type(model).__qualname__}"]
