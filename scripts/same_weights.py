"""The weights of a trained model under other settings that have no weights of their own, to be trained further.

    python scripts/same_weights.py so3krates-gfn2 --set nonlocal_kappa=0.5 --out start
    python scripts/same_weights.py sake-gfn2 --set envelope_exponent=3 --out start
    sakeff train recipe.yaml --from start

The first switches on the non-local correction of So3krates (eq. 14), which sends the geometric attention of a layer
along pairs that are close in SPHC space; the second changes how an envelope goes to zero.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from sakeff.checkpoint import save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import ConfigError, SakeffError
from sakeff.zoo import load_trainable


def main(arguments: list[str] | None = None) -> int:
    """Write the start; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a checkpoint folder")
    parser.add_argument("--set", nargs="+", required=True, type=setting, metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    options = parser.parse_args(arguments)
    try:
        write_start(options.model, dict(options.settings), options.out)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def setting(text: str) -> tuple[str, Any]:
    """``name=value`` to both; the value is read as in a recipe."""
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, yaml.safe_load(value)


def write_start(model: str, settings: dict[str, Any], out: Path) -> None:
    """Save the weights of `model` with other settings. Raises `ConfigError` where they do not fit."""
    old = load_trainable(model)
    changed = {**old.config.representation, **settings}
    config = parse_potential_config({"elements": list(old.config.elements), "representation": changed})
    potential = build_potential(config).to(next(old.potential.parameters()).dtype)
    try:
        potential.load_state_dict(old.potential.state_dict())
    except RuntimeError as error:
        raise ConfigError(f"The weights of {model} do not fit {settings}; change what has no weights.") from error
    provenance = {key: value for key, value in old.provenance.items() if key != "metrics"}  # those of the old settings
    save_checkpoint(out, potential, config, provenance)


if __name__ == "__main__":
    sys.exit(main())
