"""Periodic liquid-like water of any size: rigid molecules, 1 g/cm3, seeded."""

import numpy as np

from benchmarks.structure import Structure
from sakeff.units import AVOGADRO

DENSITY = 1.0  # g/cm3
MOLAR_MASS = 18.01528  # g/mol
BOND = 0.9572  # A, O-H
ANGLE = np.deg2rad(104.52)
JITTER = 0.15  # A, largest shift of an oxygen along each axis
CONTACT = 1.6  # A, least distance between atoms of different molecules
ATTEMPTS = 1000
SPACING = (MOLAR_MASS / (DENSITY * AVOGADRO) * 1e24) ** (1 / 3)  # A, 3.104 between oxygens


def water(lattice: tuple[int, int, int], seed: int = 1) -> Structure:
    """One molecule on each point of a simple cubic lattice, shifted and turned at random.

    Molecules are placed one after another; one that comes nearer than 1.6 A to atoms of another is placed again.
    """
    generator = np.random.default_rng(seed)
    cell = np.diag(np.array(lattice, dtype=float)) * SPACING
    points = list(np.ndindex(*lattice))
    placed: dict[tuple[int, ...], np.ndarray] = {}
    for point in points:
        placed[point] = place(point, lattice, placed, cell.diagonal(), generator)
    positions = np.concatenate([placed[point] for point in points])
    numbers = np.tile([8, 1, 1], len(points))
    return Structure(f"water_{len(numbers)}", numbers, positions, cell, True)


def place(
    point: tuple[int, ...],
    lattice: tuple[int, int, int],
    placed: dict[tuple[int, ...], np.ndarray],
    lengths: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """O, H, H (3, 3) near a lattice point, clear of the neighbours that are there already."""
    around = [placed[near] for near in neighbours(point, lattice) if near in placed]
    others = np.concatenate(around) if around else np.empty((0, 3))
    for _ in range(ATTEMPTS):
        shift = generator.uniform(-JITTER, JITTER, size=3)
        molecule = (np.array(point) + 0.5) * SPACING + shift + rigid_molecule() @ rotation(generator)
        if nearest(molecule, others, lengths) > CONTACT:
            return molecule
    raise RuntimeError(f"No place for the molecule at {point} after {ATTEMPTS} attempts.")


def rigid_molecule() -> np.ndarray:
    """Oxygen at the origin and two hydrogens, (3, 3), A."""
    half = ANGLE / 2
    return BOND * np.array([[0.0, 0.0, 0.0], [np.cos(half), np.sin(half), 0.0], [np.cos(half), -np.sin(half), 0.0]])


def rotation(generator: np.random.Generator) -> np.ndarray:
    """A random rotation (3, 3), uniform up to the mirror image, which a water molecule does not show."""
    return np.linalg.qr(generator.normal(size=(3, 3)))[0]


def neighbours(point: tuple[int, ...], lattice: tuple[int, int, int]) -> set[tuple[int, ...]]:
    """The 26 lattice points around one, across the borders of the box; never the point itself."""
    steps = np.indices((3, 3, 3)).reshape(3, -1).T - 1
    return {tuple(int(x) for x in (np.array(point) + step) % lattice) for step in steps} - {tuple(point)}


def nearest(molecule: np.ndarray, others: np.ndarray, lengths: np.ndarray) -> float:
    """The least distance between both, in a box with these lengths; inf without others."""
    difference = molecule[:, None] - others[None]
    difference -= lengths * np.rint(difference / lengths)
    return float(np.sqrt((difference**2).sum(-1)).min(initial=np.inf))
