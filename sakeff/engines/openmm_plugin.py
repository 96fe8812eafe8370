"""Finding the libraries behind the two OpenMM backends, and saying what to install where they are missing."""

import contextlib
import logging
import re
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from sakeff.errors import EngineUnavailableError

# PythonForce of 8.5.0 to 8.6.0 runs its callback in a worker thread.
OPENMM_NEEDED = [8, 6, 1]
TORCH_BACKEND = "openmm>=8.6.1, openmmtorch==1.5 and torch==2.9.1 (its default build, also without a GPU)"


def load_openmm() -> ModuleType:
    """The openmm package, new enough; raises EngineUnavailableError."""
    try:
        openmm = import_module("openmm")
    except ImportError as error:
        raise EngineUnavailableError(
            f"OpenMM does not load ({error}); install sakeff[openmm] or openmm>=8.6.1."
        ) from error
    found = [int(part) for part in re.findall(r"\d+", openmm.__version__)[:3]]
    if found < OPENMM_NEEDED:
        raise EngineUnavailableError(f"OpenMM {openmm.__version__} is too old; install openmm>=8.6.1.")
    return openmm


def load_openmmtorch() -> ModuleType:
    """The openmmtorch package; raises EngineUnavailableError that names the versions that work together."""
    openmm = load_openmm()
    import_module("torch")  # first, so that the plug-in finds its libraries
    root = logging.getLogger()
    root.addFilter(_is_news)
    try:
        plugin = import_module("openmmtorch")
    except (ImportError, OSError) as error:
        raise EngineUnavailableError(
            f"openmmtorch does not load with torch {_version('torch')} and openmm {_version('openmm')} ({error});"
            f" install {TORCH_BACKEND}, or use backend='python', which works with any torch."
        ) from error
    finally:
        root.removeFilter(_is_news)
    _load_kernels(openmm)
    return plugin


def _load_kernels(openmm: ModuleType) -> None:
    """OpenMM loads its plug-ins when it is imported; those that need torch failed then if torch was not there yet."""
    failed = " ".join(openmm.Platform.getPluginLoadFailures())
    for library in sorted((Path(openmm.version.openmm_library_path) / "plugins").glob("*OpenMMTorch*")):
        if str(library) in failed:
            with contextlib.suppress(openmm.OpenMMException):  # of a platform that is not here, such as OpenCL
                openmm.Platform.loadPluginLibrary(str(library))


def _is_news(record: logging.LogRecord) -> bool:
    """Drops the line about a deprecated name that the plug-in itself imports."""
    return "simtk.openmm" not in record.getMessage()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
