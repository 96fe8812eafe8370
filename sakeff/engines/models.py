"""From what a user calls a model (name, folder, exported file, potential) to a program that runs."""

import re
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import torch

from sakeff.checkpoint import load_checkpoint
from sakeff.errors import ConfigError, NeighbourError, StructureError
from sakeff.export.program import DEFAULT_SKIN
from sakeff.export.torchscript import LoadedProgram, MadeProgram, eager_program, load_program, native_sibling
from sakeff.fast.build import operators_available
from sakeff.potential import Potential
from sakeff.zoo import resolve_model

Model = str | Path | Potential


def open_model(
    model: Model,
    usual_dtype: str,
    dtype: str | None = None,
    skin: float | None = None,
    device: str = "cpu",
    kernels: str = "auto",
) -> MadeProgram:
    """An eager program from a name, a checkpoint folder or a potential; an exported file as it is.

    Where ``dtype`` or ``skin`` (A) is None, that of the file holds, or else ``usual_dtype`` and the default skin. A
    potential given directly counts as trained for neutral closed-shell structures only. ``kernels`` chooses the path
    (``fast.accelerate``); an exported file has its own, and its sibling with operators is taken where they load. Raises
    CheckpointError, AgreementError, and ConfigError where a file has another dtype, skin or path than asked for, or the
    device is missing, or several models are given.
    """
    if isinstance(model, (list, tuple)):
        raise ConfigError("Only SAKECalculator takes several models; give one here, or use ASE (--engine ase).")
    check_device(device)
    path = None if isinstance(model, Potential) else resolve_model(model)
    if path is not None and path.is_file():
        return _as_asked(load_program(_best_file(path, kernels), device), path, dtype, skin, kernels)
    potential, provenance = (model, {}) if path is None else load_checkpoint(path)[1:]
    skin = DEFAULT_SKIN if skin is None else skin
    opened = eager_program(potential, provenance, skin, dtype or usual_dtype, kernels)
    reference = opened.reference if opened.reference is None else opened.reference.to(device)
    return MadeProgram(opened.program.to(device), opened.header, reference)


def check_device(device: str) -> None:
    """Raise ConfigError for a device that is not there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Device {device!r} is not available ({reason}); use device='cpu'.") from error


def _best_file(path: Path, kernels: str) -> Path:
    """The sibling with operators if it is there and wanted and they load, or else the file itself."""
    sibling = native_sibling(path)
    wanted = kernels in ("auto", "native") and sibling.is_file()
    return sibling if wanted and operators_available() else path


def _as_asked(loaded: LoadedProgram, path: Path, dtype: str | None, skin: float | None, kernels: str) -> MadeProgram:
    """An exported file fixes precision, skin and path."""
    header = loaded.header
    if dtype is not None and dtype != header.dtype:
        raise ConfigError(f"{path} was exported in {header.dtype}; leave dtype out or export it again.")
    if skin is not None and skin != header.skin:
        raise ConfigError(f"{path} was exported with a skin of {header.skin} A; leave skin out or export it again.")
    if kernels not in ("auto", header.kernels):
        raise ConfigError(f"{path} was exported with {header.kernels} kernels; leave kernels out or export it again.")
    return MadeProgram(loaded.program, header)


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
