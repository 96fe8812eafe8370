"""A trained forecaster as one file: tensors, with its configuration and provenance in the header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors

from sakeff.errors import CheckpointError
from sakeff.forecasting.model import Forecaster, build_forecaster
from sakeff.io import atomic_path

FORMAT = "sakeff-forecaster-1"


class StoredForecaster(NamedTuple):
    """A forecaster in evaluation mode and what describes it."""

    forecaster: Forecaster
    document: Dict[str, Any]  # representation, targets, time_unit, provenance


def save_forecaster(path: Path, forecaster: Forecaster, document: Dict[str, Any], overwrite: bool = False) -> None:
    """Write one file atomically; `document` needs the keys of a `StoredForecaster`. Raises `OutputExistsError`."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in forecaster.state_dict().items()}
    header = {"format": FORMAT, "document": json.dumps(document)}
    with atomic_path(path, overwrite) as temporary:
        temporary.write_bytes(save_tensors(tensors, header))


def load_forecaster(path: Path) -> StoredForecaster:
    """Read it back in the precision of its weights. Raises `CheckpointError` if it is missing, damaged or other."""
    try:
        with safe_open(path, framework="pt") as stored:
            header = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in list(stored.keys())}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({error}); train the forecaster again.") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path} has format {header.get('format')!r} and this version reads {FORMAT!r}.")
    document = json.loads(header["document"])
    forecaster = build_forecaster(document["representation"], len(document["targets"]), document["time_unit"])
    if any(value.dtype == torch.float64 for name, value in tensors.items() if name.endswith("weight")):
        forecaster = forecaster.double()
    forecaster.load_state_dict(tensors)
    return StoredForecaster(forecaster.eval(), document)
