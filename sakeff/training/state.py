"""The state of a run on disk: one safetensors file, written whole or not at all, with the counters in its header."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor

from sakeff.errors import TrainingError
from sakeff.io import atomic_path

FORMAT = "sakeff-training-1"


@dataclass
class Progress:
    """Counters of a run. Batches follow from seed and epoch, so that these few numbers say where it stands."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # within the epoch
    seconds: float = 0.0  # over all slices
    best: float = float("inf")  # validation loss
    vain: int = 0  # validations since the best
    finished: bool = False


class RunState(NamedTuple):
    """What a resumed run needs: tensors by name, counters, and the documents that must fit."""

    tensors: Dict[str, Tensor]
    progress: Progress
    documents: Dict[str, Any]


def save_state(path: Path, state: RunState) -> None:
    """Write the file atomically, over the one before. Raises `OutputError`; the one before then stays."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in state.tensors.items()}
    written = {"progress": asdict(state.progress), "documents": state.documents}
    header = {"format": FORMAT, **{name: json.dumps(value) for name, value in written.items()}}
    with atomic_path(path, overwrite=True) as temporary:
        temporary.write_bytes(save_tensors(tensors, header))


def load_state(path: Path) -> RunState:
    """Read the file on the CPU. Raises `TrainingError` if it is missing, damaged or of another version."""
    if not path.is_file():
        raise TrainingError(f"{path} does not exist, so there is nothing to resume; start without --resume.")
    try:
        with safe_open(path, framework="pt") as stored:
            header = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in list(stored.keys())}
    except (SafetensorError, OSError) as error:
        raise TrainingError(f"{path} is damaged ({error}); start again without --resume in another folder.") from error
    if header.get("format") != FORMAT:
        raise TrainingError(f"{path} has format {header.get('format')!r}, this version resumes {FORMAT!r}.")
    return RunState(tensors, Progress(**json.loads(header["progress"])), json.loads(header["documents"]))


@torch.no_grad()
def restore(live: Dict[str, Tensor], stored: Dict[str, Tensor]) -> None:
    """Write stored values into live tensors of the same names, in place. Raises `TrainingError` if they do not fit."""
    for name, tensor in live.items():
        if name not in stored or stored[name].shape != tensor.shape:
            raise TrainingError(f"the stored state has no {name!r} that fits; resume with the configuration it had.")
        tensor.copy_(stored[name])
