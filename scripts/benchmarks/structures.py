"""The structures that are timed, by name."""

from pathlib import Path

import ase.io

from benchmarks.structure import Structure
from benchmarks.water import water
from sakeff.structures import load_structure

MOLECULES = Path(__file__).resolve().parent / "molecules"
# Molecules on each edge of the box.
WATER = {
    "water_192": (4, 4, 4),
    "water_1536": (8, 8, 8),
    "water_12288": (16, 16, 16),
    "water_24576": (16, 16, 32),
}
NAMES = ("aspirin", "riboflavin", "ala15", *WATER)


def benchmark_structure(name: str) -> Structure:
    """One of ``NAMES``."""
    if name in WATER:
        return water(WATER[name])
    bundled = MOLECULES / f"{name}.xyz"
    atoms = ase.io.read(bundled) if bundled.is_file() else load_structure(name)
    return Structure(name, atoms.numbers, atoms.positions, atoms.cell.array, False)
