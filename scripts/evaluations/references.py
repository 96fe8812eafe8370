"""models/references/gfn2: what GFN2-xTB says, as JSON. One file for each kind of comparison."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from sakeff.errors import DataError
from sakeff.io import write_text

FOLDER = Path(__file__).resolve().parents[2] / "models" / "references" / "gfn2"
CONFORMERS, MOLECULES, PAIRS, TRANSFERS = "conformers.json", "molecules.json", "pairs.json", "transfers.json"


class Minimum(NamedTuple):
    """A molecule at its minimum, with its harmonic frequencies (1/cm, ascending)."""

    smiles: str
    atoms: Atoms
    energy: float  # eV
    fmax: float  # eV/A
    frequencies: np.ndarray


class PairScan(NamedTuple):
    """Two rigid molecules, each with its centre of mass at the origin; the second comes in along x."""

    pair: str
    orientation: str
    first: Atoms
    second: Atoms
    distances: np.ndarray  # A, descending
    energies: np.ndarray  # eV, relative to the separated molecules
    contact: float  # A


class Transfer(NamedTuple):
    """A structure with a hydrogen bridge X-H...Y, and the energies while the hydrogen goes from X to Y."""

    atoms: Atoms
    bridge: tuple[int, int, int]  # indices of X, H and Y
    energies: np.ndarray  # eV


def read_conformers(folder: Path) -> dict[str, dict[str, float]]:
    """{name of a bundled structure: {"energy_eV", "fmax_eV_per_A"}} of the minima."""
    return _read(folder / CONFORMERS)["minima"]


def read_molecules(folder: Path) -> list[Minimum]:
    """The held-out molecules."""
    return [
        Minimum(
            entry["smiles"],
            _atoms(entry),
            entry["energy_eV"],
            entry["fmax_eV_per_A"],
            np.array(entry["frequencies_per_cm"]),
        )
        for entry in _read(folder / MOLECULES)["molecules"]
    ]


def read_pairs(folder: Path) -> list[PairScan]:
    """The approach scans."""
    return [
        PairScan(
            entry["pair"],
            entry["orientation"],
            _atoms(entry["first"]),
            _atoms(entry["second"]),
            np.array(entry["distances_A"]),
            np.array(entry["energies_eV"]),
            entry["contact_A"],
        )
        for entry in _read(folder / PAIRS)["scans"]
    ]


def read_transfers(folder: Path) -> list[Transfer]:
    """Frames of riboflavin in motion, each with a hydrogen bridge."""
    return [
        Transfer(_atoms(entry), tuple(entry["bridge"]), np.array(entry["energies_eV"]))
        for entry in _read(folder / TRANSFERS)["transfers"]
    ]


def as_entry(atoms: Atoms) -> dict[str, Any]:
    """Elements and positions (A), to a millionth."""
    return {"numbers": atoms.numbers.tolist(), "positions_A": np.round(atoms.positions, 6).tolist()}


def rounded(atoms: Atoms) -> Atoms:
    """The structure as a reader will find it."""
    return _atoms(as_entry(atoms))


def fingerprint(folder: Path) -> str:
    """SHA-256 of all references."""
    texts = [_existing(folder / name).read_bytes() for name in (CONFORMERS, MOLECULES, PAIRS, TRANSFERS)]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def write(path: Path, document: dict[str, Any], overwrite: bool) -> None:
    """Write one file; lists of numbers take one line."""
    write_text(path, json.dumps(document, indent=None, separators=(",", ":")).replace("},{", "},\n{") + "\n", overwrite)


def _atoms(entry: dict[str, Any]) -> Atoms:
    return Atoms(entry["numbers"], entry["positions_A"])


def _read(path: Path) -> dict[str, Any]:
    return json.loads(_existing(path).read_text(encoding="utf-8"))


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"There are no references in {path}; make them with scripts/make_gfn2_references.py.")
    return path
