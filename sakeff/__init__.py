"""sakeff: learned equivariant potentials for ASE and OpenMM.

    from sakeff import SAKECalculator
    atoms.calc = SAKECalculator("so3krates-gfn2")

Names are imported when they are first used, so that ``import sakeff`` stays light.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

try:
    __version__ = version("sakeff")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "0.1.0"

_HOMES = {
    "SAKECalculator": "sakeff.engines.ase",
    "openmm_force": "sakeff.engines.openmm",
    "openmm_system": "sakeff.engines.openmm",
    "load_potential": "sakeff.zoo",
    "load_checkpoint": "sakeff.checkpoint",
    "list_models": "sakeff.zoo",
}

__all__ = [
    "SAKECalculator",
    "__version__",
    "list_models",
    "load_checkpoint",
    "load_potential",
    "openmm_force",
    "openmm_system",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sakeff' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
