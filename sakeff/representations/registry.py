"""Names of representations in configuration files. Adding an architecture is one file and one line here."""

from typing import Any

from sakeff.errors import ConfigError
from sakeff.nn.choose import choose
from sakeff.representations.invariant_attention import InvariantAttention
from sakeff.representations.sake import Sake
from sakeff.representations.scalar_interaction import siformer, sinet
from sakeff.representations.so3krates import So3krates

REPRESENTATIONS: dict[str, Any] = {
    "sake": Sake,
    "so3krates": So3krates,
    "invariant-attention": InvariantAttention,
    "sinet": sinet,
    "siformer": siformer,
}


def make_representation(name: str, **hyperparameters: Any) -> Any:
    """The representation called ``name``; raises ConfigError for unknown names and hyperparameters."""
    build = choose(REPRESENTATIONS, "representation", name)
    try:
        return build(**hyperparameters)
    except TypeError as error:
        raise ConfigError(f"The configuration of representation {name!r} does not fit: {error}.") from error
