"""An environment for each public package under ``.bench/``, with the torch of the environment that runs this script.

The dependencies of these packages exclude one another. torch is 7 GB and must be the same for all, so that the packages
are compared and not versions of torch: each environment sees the site-packages of this one behind its own.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

import tomllib

from benchmarks.entries import OURS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".bench"
LINK = "shared-torch.pth"


def requirements() -> dict[str, str]:
    """Package -> requirement, of the extra [bench] in pyproject.toml."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = document["project"]["optional-dependencies"]["bench"]
    return {requirement.split("==")[0]: requirement for requirement in listed}


def python_of(package: str) -> Path:
    """The interpreter that runs a package."""
    if package == OURS:
        return Path(sys.executable)
    return FOLDER / package / ("Scripts" if os.name == "nt" else "bin") / "python"


def install(package: str, requirement: str) -> None:
    """Make the environment of one package, or complete it; raises CalledProcessError if pip fails."""
    folder = FOLDER / package
    if not python_of(package).exists():
        venv.create(folder, with_pip=True)
    library = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    Path(library, LINK).write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    command = [str(python_of(package)), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*command, requirement, f"torch=={version('torch')}"], check=True)


def install_all() -> dict[str, str]:
    """Install every public package; what went wrong, by package."""
    failures = {}
    for package, requirement in requirements().items():
        print(f"{requirement} into {FOLDER / package}", flush=True)
        try:
            install(package, requirement)
        except subprocess.CalledProcessError as error:
            failures[package] = f"pip ended with {error.returncode}"
    return failures
