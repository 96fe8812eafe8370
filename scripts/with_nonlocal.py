"""A local So3krates model with the non-local correction switched on, to be trained further.

    python scripts/with_nonlocal.py so3krates-gfn2 --kappa 1.0 --out start
    sakeff train recipe.yaml --from start

The correction of eq. 14 (So3krates) has no weights of its own: it sends the geometric attention of a layer along
pairs that are close in SPHC space. The weights of the local model are therefore a start for the non-local one.
"""

import argparse
import sys
from pathlib import Path

from sakeff.checkpoint import save_checkpoint
from sakeff.config import PotentialConfig, build_potential
from sakeff.errors import ConfigError, SakeffError
from sakeff.zoo import load_trainable


def main(arguments: list[str] | None = None) -> int:
    """Write the start; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a bundled model or a checkpoint folder of a local So3krates")
    parser.add_argument("--kappa", type=float, default=1.0, help="of appendix A.2 (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    options = parser.parse_args(arguments)
    try:
        write_start(options.model, options.kappa, options.out)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def write_start(model: str, kappa: float, out: Path) -> None:
    """Save the potential of `model` with `nonlocal_kappa`. Raises `ConfigError` where that cannot be."""
    local = load_trainable(model)
    representation = local.config.representation
    if representation["name"] != "so3krates" or representation.get("nonlocal_kappa") is not None:
        raise ConfigError(f"{model} is not a local So3krates model; name one, for example so3krates-gfn2.")
    config = PotentialConfig(elements=local.config.elements, representation={**representation, "nonlocal_kappa": kappa})
    potential = build_potential(config).to(next(local.potential.parameters()).dtype)
    potential.load_state_dict(local.potential.state_dict())
    provenance = {key: value for key, value in local.provenance.items() if key != "metrics"}  # those of the local model
    save_checkpoint(out, potential, config, provenance)


if __name__ == "__main__":
    sys.exit(main())
