"""The C++ operators: compiled on first use against the installed torch, kept in the user's cache, loaded once."""

import hashlib
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from functools import cache
from pathlib import Path

import torch

from sakeff.errors import OperatorsUnavailableError

SOURCES = Path(__file__).parent / "native"
# Vector code for this processor. Sums may be reordered, but NaN and infinity keep their meaning, and linking without
# these flags leaves the floating-point state of the process alone.
FLAGS = ["-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fassociative-math",
         "-freciprocal-math"]  # fmt: skip
# For compiling alone, not for linking: the threads are those of the OpenMP library that torch has loaded. Without it
# ATen's parallel loops run on one thread.
if sys.platform == "linux":
    FLAGS.append("-fopenmp")
CACHE_VARIABLE = "SAKEFF_CACHE"
COMPILATION = """
import sys
from torch.utils.cpp_extension import load
name, source, folder, *flags = sys.argv[1:]
load(name, [source], extra_cflags=flags, build_directory=folder, is_python_module=False)
"""


def load_operators() -> Path:
    """Load ``torch.ops.sakeff``, compiling it first (about 30 s) if this torch and processor are new; returns the file.

    The library lies in ``$SAKEFF_CACHE``, by default ~/.cache/sakeff. Raises OperatorsUnavailableError where it cannot
    be made or loaded.
    """
    library, problem = try_operators()
    if problem:
        raise OperatorsUnavailableError(
            f"The C++ operators cannot be made here ({problem}); install g++ and ninja, or use kernels='torch'."
        )
    return library


def operators_available() -> bool:
    """Whether the operators load, compiling them if needed."""
    return not try_operators()[1]


@cache
def try_operators() -> tuple[Path, str]:
    """The library and what went wrong, if anything; tried once in a process, because compiling takes long."""
    library = cache_folder() / f"operators-{fingerprint()}" / "sakeff_operators.so"
    try:
        if not library.exists():
            compile_operators(library)
        torch.ops.load_library(str(library))
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        return library, (str(error).strip().splitlines() or [type(error).__name__])[0]
    return library, ""


def cache_folder() -> Path:
    """Where compiled operators are kept."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "sakeff"


def fingerprint() -> str:
    """Changes with the sources, the flags, torch and the instruction set of the processor."""
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    digest.update(f"{FLAGS} {torch.__version__} {platform.machine()} {processor_features()}".encode())
    return digest.hexdigest()[:16]


def processor_features() -> str:
    """What -march=native depends on."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = info.read_text(encoding="utf-8").splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def compile_operators(library: Path) -> None:
    """Compile in another process and in a folder of its own, then move the result.

    Processes that do so at once do not disturb each other, and torch loads what it compiles: here that is done once,
    from the final place. Raises OSError with the last line of the compiler.
    """
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        command = [sys.executable, "-c", COMPILATION, library.stem, str(SOURCES / "library.cpp"), folder, *FLAGS]
        environment = {**os.environ, "PATH": os.pathsep.join([scripts_folder(), os.environ.get("PATH", "")])}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
        if done.returncode != 0:
            raise OSError((done.stderr.strip().splitlines() or ["the compiler said nothing"])[-1])
        Path(folder, library.name).replace(library)


def scripts_folder() -> str:
    """Where pip puts programs such as ninja, also in an environment that is not activated."""
    return sysconfig.get_path("scripts")
