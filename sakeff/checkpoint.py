"""Checkpoints: a folder with config.json (what to build and where it comes from) and weights.safetensors.

Nothing in a checkpoint can run code.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from sakeff.config import PotentialConfig, build_potential, parse_potential_config
from sakeff.errors import CheckpointError
from sakeff.io import atomic_path, refuse_existing
from sakeff.potential import Potential

FORMAT = "sakeff-checkpoint-1"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "weights.safetensors"
UNITS = "eV, angstrom"


class Checkpoint(NamedTuple):
    """A potential with what is known about it.

    ``provenance`` has level_of_theory, data_sha256, units, elements, charges, metrics, code_version and seed, and of a
    run that started from trained weights their fingerprint (start), of a mean those of what it is of (mean_of).
    """

    config: PotentialConfig
    potential: Potential
    provenance: dict[str, Any]


def save_checkpoint(
    folder: Path, potential: Potential, config: PotentialConfig, provenance: dict[str, Any], overwrite: bool = False
) -> None:
    """Write config.json and weights.safetensors; each file appears whole or not at all.

    Raises OutputExistsError or OutputError.
    """
    folder = Path(folder)
    weights = save_tensors({name: value.detach().cpu().contiguous() for name, value in potential.state_dict().items()})
    document = {
        "format": FORMAT,
        "potential": config.model_dump(),
        "provenance": {**provenance, "units": UNITS},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        refuse_existing(folder / name, overwrite)
    # Both files are complete before either takes its place.
    with atomic_path(folder / CONFIG_FILE, overwrite) as new_config:
        new_config.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        with atomic_path(folder / WEIGHTS_FILE, overwrite) as new_weights:
            new_weights.write_bytes(weights)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint back, in evaluation mode and the precision of its weights.

    Raises CheckpointError if a file is missing, damaged, of another version or does not belong to the other.
    """
    folder = Path(folder)
    document = read_document(folder)
    config = parse_potential_config(document["potential"])
    potential = build_potential(config)
    tensors = _read_weights(folder / WEIGHTS_FILE, document["weights_sha256"])
    if any(name.endswith("weight") and value.dtype == torch.float64 for name, value in tensors.items()):
        potential = potential.double()
    try:
        potential.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"The weights in {folder} do not fit its configuration; restore both files.") from error
    return Checkpoint(config, potential.eval(), document["provenance"])


def read_document(folder: Path) -> dict[str, Any]:
    """config.json of a checkpoint, checked for its format and keys."""
    path = Path(folder) / CONFIG_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} does not exist; give the folder of a checkpoint.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); restore it from a copy.") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{path} has format {found!r} and this version reads {FORMAT!r}; use the other version.")
    missing = {"potential", "provenance", "weights_sha256"} - document.keys()
    if missing:
        raise CheckpointError(f"{path} lacks {sorted(missing)}; restore it from a copy.")
    provenance = document["provenance"]
    units = provenance.get("units") if isinstance(provenance, dict) else None
    if units != UNITS:
        raise CheckpointError(f"{path} gives units {units!r}, only {UNITS!r} is supported; convert the model.")
    return document


def _read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); restore it from a copy.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointError(f"{path} is damaged or belongs to another config.json; restore it from a copy.")
    try:
        return load_tensors(content)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a safetensors file ({error}); restore it from a copy.") from error
