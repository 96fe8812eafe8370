"""Bundled models: names to folders."""

import hashlib
import json
from pathlib import Path

from sakeff.checkpoint import CONFIG_FILE, WEIGHTS_FILE, Checkpoint, load_checkpoint, read_document
from sakeff.errors import CheckpointError
from sakeff.potential import Potential

PROGRAM_FILE = "program.pt"


def models_folder() -> Path:
    """Where the bundled models are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def list_models() -> list[str]:
    """Names of the bundled models."""
    folder = models_folder()
    return sorted(path.parent.name for path in folder.glob(f"*/{CONFIG_FILE}"))


def resolve_model(name_or_path: str | Path) -> Path:
    """A bundled name, a checkpoint folder or an exported file, as a path that exists.

    Raises CheckpointError that lists the bundled names.
    """
    path = Path(name_or_path)
    if path.is_file() or (path / CONFIG_FILE).is_file():
        return path
    bundled = models_folder() / str(name_or_path)
    if str(name_or_path) in list_models():
        return bundled
    if (path / "model" / CONFIG_FILE).is_file():
        raise CheckpointError(f"{path} is the folder of a run; its model is {path / 'model'}.")
    raise CheckpointError(
        f"No model {str(name_or_path)!r}: give a checkpoint folder, an exported file or one of {list_models()}."
    )


def load_trainable(name_or_path: str | Path) -> Checkpoint:
    """The checkpoint of a bundled model or of a folder. Raises CheckpointError, also for exported files."""
    path = resolve_model(name_or_path)
    if path.is_file():
        raise CheckpointError(f"{path} is an exported program without trainable weights; give its checkpoint folder.")
    return load_checkpoint(path)


def load_potential(name_or_path: str | Path) -> Potential:
    """The potential of a bundled model or a checkpoint folder, in evaluation mode."""
    return load_trainable(name_or_path).potential


def fingerprint(name_or_path: str | Path) -> str:
    """SHA-256 of an exported file, or of a checkpoint's architecture and weights: other numbers, other fingerprint."""
    path = resolve_model(name_or_path)
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    architecture = json.dumps(read_document(path)["potential"], sort_keys=True)
    return hashlib.sha256(architecture.encode() + (path / WEIGHTS_FILE).read_bytes()).hexdigest()
