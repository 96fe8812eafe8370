"""Names of representations in configuration files. Adding an architecture is one file and one line here."""

from typing import Any

from sakeff.errors import ConfigError
from sakeff.representations.sake import Sake
from sakeff.representations.so3krates import So3krates

REPRESENTATIONS = {
    "sake": Sake,
    "so3krates": So3krates,
}


def make_representation(name: str, **hyperparameters: Any) -> Any:
    """The representation called ``name``; raises ConfigError for unknown names and hyperparameters."""
    if name not in REPRESENTATIONS:
        raise ConfigError(f"Unknown representation {name!r}; choose one of {sorted(REPRESENTATIONS)}.")
    try:
        return REPRESENTATIONS[name](**hyperparameters)
    except TypeError as error:
        raise ConfigError(f"The configuration of representation {name!r} does not fit: {error}.") from error
