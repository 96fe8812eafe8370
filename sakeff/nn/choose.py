"""Parts of a representation by the names that configurations give them."""

from typing import Any, Dict

from sakeff.errors import ConfigError


def choose(table: Dict[str, Any], what: str, name: str) -> Any:
    """The part called ``name``; raises ConfigError with the names there are."""
    if name not in table:
        raise ConfigError(f"Unknown {what} {name!r}; choose one of {sorted(table)}.")
    return table[name]
