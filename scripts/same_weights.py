"""The weights of a trained model under other settings that have no weights of their own, to be trained further.

    python scripts/same_weights.py so3krates-gfn2 --set nonlocal_kappa=0.5 --out start
    python scripts/same_weights.py sake-gfn2 --set envelope_exponent=3 --out start
    python scripts/same_weights.py so3krates-gfn2 so3krates-nonlocal-gfn2 --set nonlocal_kappa=0.2 --out start
    sakeff train recipe.yaml --from start

The first switches on the non-local correction of So3krates (eq. 14), which sends the geometric attention of a layer
along pairs that are close in SPHC space; the second changes how an envelope goes to zero. Of several models the mean of
their weights is taken, which is sound where one was trained from the other and both stayed in one valley of the loss.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from sakeff.checkpoint import Checkpoint, save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import ConfigError, SakeffError
from sakeff.zoo import load_trainable


def main(arguments: list[str] | None = None) -> int:
    """Write the start; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="model", help="a bundled model or a checkpoint folder")
    parser.add_argument("--set", nargs="+", required=True, type=setting, metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    options = parser.parse_args(arguments)
    try:
        start = with_settings(options.models, dict(options.settings))
        save_checkpoint(options.out, start.potential, start.config, start.provenance)
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


def with_settings(models: list[str], settings: dict[str, Any]) -> Checkpoint:
    """The mean weights of `models` with the settings of the first, some of them changed.

    Raises `ConfigError` where they do not fit.
    """
    first, *others = [load_trainable(model) for model in models]
    if any(other.config.elements != first.config.elements for other in others):
        raise ConfigError("The models know different elements, so that their weights have no mean; give others.")
    changed = {**first.config.representation, **settings}
    config = parse_potential_config({"elements": list(first.config.elements), "representation": changed})
    potential = build_potential(config).to(next(first.potential.parameters()).dtype)
    states = [one.potential.state_dict() for one in (first, *others)]
    try:
        for state in states:
            potential.load_state_dict(state)
    except RuntimeError as error:
        names = " and ".join(models)
        raise ConfigError(f"The weights of {names} do not fit {settings}; change what has no weights.") from error
    potential.load_state_dict(mean(states))
    provenance = {key: value for key, value in first.provenance.items() if key != "metrics"}  # of the old settings
    return Checkpoint(config, potential, provenance)


def mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of every entry; of one state, itself."""
    return {
        name: torch.stack([state[name] for state in states]).double().mean(0).to(one.dtype)
        for name, one in states[0].items()
    }


if __name__ == "__main__":
    sys.exit(main())
