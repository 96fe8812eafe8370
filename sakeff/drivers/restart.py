"""The checkpoint of a simulation: the engine's state, and where log and trajectory ended."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sakeff.drivers.outputs import Mark
from sakeff.errors import CheckpointError, ConfigError
from sakeff.io import atomic_path

FORMAT = "sakeff-md-1"


class Restart(NamedTuple):
    """Everything needed to go on after ``step``."""

    step: int
    state: bytes
    log: Mark
    trajectory: Mark


def write_restart(path: Path, restart: Restart, signature: str) -> None:
    """Write the checkpoint (npz), replacing the one before."""
    with atomic_path(Path(path), overwrite=True) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            format=np.asarray(FORMAT),
            signature=np.asarray(signature),
            step=np.asarray(restart.step),
            state=np.frombuffer(restart.state, np.uint8),
            log=np.asarray(restart.log),
            trajectory=np.asarray(restart.trajectory),
        )


def read_restart(path: Path | None, signature: str) -> Restart:
    """Read it back. Raises CheckpointError if it cannot be read, ConfigError if it belongs to another run."""
    if path is None or not Path(path).is_file():
        raise CheckpointError(f"There is no simulation checkpoint {path}; start the run without resuming it.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            content = {name: archive[name] for name in archive.files}
        found = str(content["format"])
        log, trajectory = _mark(content["log"]), _mark(content["trajectory"])
        restart = Restart(int(content["step"]), content["state"].tobytes(), log, trajectory)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path} is no readable simulation checkpoint ({error}); start a new run.") from error
    if found != FORMAT:
        raise CheckpointError(f"{path} has format {found!r}, this version reads {FORMAT!r}; start a new run.")
    if str(content["signature"]) != signature:
        raise ConfigError(
            f"{path} belongs to a run with another model, engine or dtype, or with other settings, atoms or cell;"
            " resume with the same ones."
        )
    return restart


def _mark(array: np.ndarray) -> Mark:
    return Mark(int(array[0]), int(array[1]))
