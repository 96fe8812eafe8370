"""From what a user calls a model (name, folder, exported file, potential) to a program that runs."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import torch

from sakeff.checkpoint import load_checkpoint
from sakeff.errors import ConfigError, NeighbourError, StructureError
from sakeff.export.program import DEFAULT_SKIN
from sakeff.export.torchscript import LoadedProgram, eager_program, load_program
from sakeff.potential import Potential
from sakeff.zoo import resolve_model

Model = str | Path | Potential


def open_model(
    model: Model, usual_dtype: str, dtype: str | None = None, skin: float | None = None, device: str = "cpu"
) -> LoadedProgram:
    """An eager program from a name, a checkpoint folder or a potential; an exported file as it is.

    Where ``dtype`` or ``skin`` (A) is None, that of the file holds, or else ``usual_dtype`` and the default skin. A
    potential given directly counts as trained for neutral closed-shell structures only. Raises CheckpointError, and
    ConfigError where a file has another dtype or skin than asked for, or the device is missing.
    """
    _check_device(device)
    path = None if isinstance(model, Potential) else resolve_model(model)
    if path is not None and path.is_file():
        return _as_asked(load_program(path, device), path, dtype, skin)
    potential, provenance = (model, {}) if path is None else load_checkpoint(path)[1:]
    skin = DEFAULT_SKIN if skin is None else skin
    opened = eager_program(potential, provenance, skin, dtype or usual_dtype)
    return LoadedProgram(opened.program.to(device), opened.header)


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Device {device!r} is not available ({reason}); use device='cpu'.") from error


def _as_asked(loaded: LoadedProgram, path: Path, dtype: str | None, skin: float | None) -> LoadedProgram:
    """An exported file fixes precision and skin."""
    header = loaded.header
    if dtype is not None and dtype != header.dtype:
        raise ConfigError(f"{path} was exported in {header.dtype}; leave dtype out or export it again.")
    if skin is not None and skin != header.skin:
        raise ConfigError(f"{path} was exported with a skin of {header.skin} A; leave skin out or export it again.")
    return loaded


@contextmanager
def structure_errors() -> Iterator[None]:
    """Turn what a program says about its input into a StructureError with the same sentence.

    Scripted programs raise one class for everything and name the original one in the last line of their text.
    """
    try:
        yield
    except NeighbourError as error:
        raise StructureError(str(error)) from error
    except torch.jit.Error as error:
        said = re.findall(r"sakeff\.errors\.\w+: (.*)", str(error))
        if not said:
            raise
        raise StructureError(said[-1]) from None
