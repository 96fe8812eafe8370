"""Geometries of one molecule: conformers, optimisation paths, normal modes, dynamics, torsions, bond scans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.optimize import LBFGS
from rdkit import Chem

from . import geometry
from .labels import SCFError, energy_and_forces, warm_calculator
from .molecules import CLOSEST, Molecule

OPTIMISED = 0.05  # eV/Angstrom
TEMPERATURES = (300.0, 1000.0)
COMPLEX_TEMPERATURES = (150.0, 500.0)
BOND_FACTORS = (0.85, 1.3)
SAVE_EVERY = 15  # steps of dynamics
BRIDGE_LENGTHS = (2.3, 3.1)  # Angstrom, between the heavy atoms of a hydrogen bridge
BRIDGE_END = 0.95  # Angstrom, how near the hydrogen comes to either of them
PATH_STEPS = (3, 8, 15, 30)  # of a relaxation that are kept: bonds and angles settle first, then the rotors drift
STRAND = ((-170.0, -70.0), (110.0, 190.0))  # degrees, phi and psi of the stretched backbones of a peptide
STRAND_STEPS = tuple(range(3, 31, 3))  # more of a relaxation than of other paths: the valley is soft, and long
STIFFNESS_FLOOR = 0.5  # eV/Angstrom^2 per unit mass: softer modes would be driven apart


@dataclass(frozen=True)
class Sample:
    """Positions to be labelled. `intact` asks for the bonds of the molecular graph."""

    positions: np.ndarray
    intact: bool = True


@dataclass(frozen=True)
class Plan:
    """How many frames of each kind make up a molecule's share, after the conformers and their relaxations."""

    normal_modes: int
    dynamics: int
    torsions: int
    bonds: int

    @classmethod
    def of(cls, frames: int, has_rotors: bool) -> Plan:
        """`frames` shared out; a molecule without rotors gets no torsion frames but more of the others."""
        torsions = round(0.18 * frames) if has_rotors else 0
        bonds = max(2, round(0.1 * frames))
        dynamics = max(5, round(0.55 * (frames - torsions - bonds)))
        return cls(max(5, frames - torsions - bonds - dynamics), dynamics, torsions, bonds)


def sample(molecule: Molecule, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Atomic numbers, bonded pairs and the samples of one entry."""
    if molecule.is_complex:
        return sample_complex(molecule, rng)
    return sample_molecule(molecule, rng)


def sample_molecule(molecule: Molecule, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Relaxations of a few conformers, then thermal, torsion and bond frames about their minima."""
    conformers = max(2, molecule.frames // 10)
    mol, starts = geometry.embed(molecule.smiles, conformers, int(rng.integers(2**31 - 1)))
    numbers = geometry.atomic_numbers(mol)
    pairs = geometry.bonds(mol)
    if not starts:
        return numbers, pairs, []
    paths = [path for start in starts if (path := relaxation(numbers, start))]
    minima = [path[-1] for path in paths if geometry.keeps_graph(numbers, path[-1], pairs)]
    samples = [Sample(p) for path in paths for p in _start_middle_end(path)]
    if not minima:
        return numbers, pairs, samples
    plan = Plan.of(molecule.frames - len(samples), bool(geometry.rotor_bonds(mol)))
    displaced = normal_mode_samples(numbers, minima, plan.normal_modes, rng)
    samples += [Sample(p) for p in displaced]
    samples += [Sample(p) for p in dynamics(numbers, displaced or minima, plan.dynamics, TEMPERATURES, rng)]
    samples += [Sample(p) for p in torsion_samples(mol, numbers, minima, plan.torsions, rng)]
    samples += [Sample(p, intact=False) for p in bond_samples(mol, minima, plan.bonds, rng)]
    samples += [Sample(p) for p in torsion_paths(mol, numbers, minima, molecule.path_frames, rng)]
    samples += [Sample(p) for p in strand_paths(mol, numbers, minima, molecule.strand_frames, rng)]
    samples += [Sample(p, intact=False) for p in bridge_samples(numbers, minima, pairs, molecule.bridge_frames, rng)]
    return numbers, pairs, samples


def sample_complex(molecule: Molecule, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Parts placed at random from inside contact to 6 Angstrom apart; some are relaxed and set in motion."""
    parts = [relaxed_part(smiles, rng) for smiles in molecule.smiles.split(".")]
    if any(part is None for part in parts):
        return np.zeros(0, int), np.zeros((0, 2), int), []
    numbers = np.concatenate([n for n, _, _ in parts])
    starts = np.cumsum([0] + [len(n) for n, _, _ in parts])
    pairs = np.concatenate([p + start for (_, _, p), start in zip(parts, starts[:-1], strict=True)])
    third = max(1, molecule.frames // 3)
    placed = [assemble(parts, molecule.closest, rng) for _ in range(molecule.frames - third)]
    close = [p for p in placed if geometry.closest_contact(numbers, p, pairs) < 1.3] or placed
    paths = [relaxation(numbers, start) for start in close[: max(1, third // 6)]]
    relaxed = [p for path in paths for p in _start_middle_end(path)[1:]]
    moved = dynamics(numbers, relaxed or close, third - len(relaxed), COMPLEX_TEMPERATURES, rng)
    far_enough = molecule.closest >= CLOSEST  # nearer parts are at bonding distance
    samples = [Sample(p, intact=far_enough) for p in placed] + [Sample(p) for p in relaxed + moved]
    ends = [path[-1] for path in paths if path]
    samples += [Sample(p, intact=False) for p in bridge_samples(numbers, ends, pairs, molecule.bridge_frames, rng)]
    return numbers, pairs, samples


def relaxation(numbers: np.ndarray, start: np.ndarray, steps: int = 150) -> list[np.ndarray]:
    """Positions along an LBFGS path, empty if GFN2-xTB fails on the way."""
    atoms = Atoms(numbers, start, calculator=warm_calculator())
    path: list[np.ndarray] = []
    optimiser = LBFGS(atoms, logfile=None, maxstep=0.1)
    optimiser.attach(lambda: path.append(atoms.get_positions()))
    try:
        optimiser.run(fmax=OPTIMISED, steps=steps)
    except SCFError:
        return []
    return path


def normal_mode_samples(
    numbers: np.ndarray, minima: list[np.ndarray], count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Classical harmonic ensemble, q_i ~ N(0, kT / k_i), about a minimum; T is drawn for each frame."""
    displaced: list[np.ndarray] = []
    chosen = [minima[i] for i in rng.permutation(len(minima))[: max(1, count // 15)]]
    for minimum, share in zip(chosen, np.array_split(np.arange(count), len(chosen)), strict=True):
        try:
            stiffness, modes = normal_modes(numbers, minimum)
        except SCFError:
            continue
        for _ in share:
            thermal = units.kB * rng.uniform(*TEMPERATURES)
            amplitudes = rng.normal(size=len(stiffness)) * np.sqrt(thermal / stiffness)
            displaced.append(minimum + (modes @ amplitudes).reshape(-1, 3))
    return displaced


def normal_modes(numbers: np.ndarray, minimum: np.ndarray, step: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Stiffness k_i (K,) and Cartesian mode vectors (3n, K), u = sum_i q_i v_i, from central differences of forces."""
    atoms = Atoms(numbers, minimum, calculator=warm_calculator())
    size = 3 * len(numbers)
    hessian = np.zeros((size, size))
    for i in range(size):
        for sign in (1.0, -1.0):
            shifted = minimum.ravel().copy()
            shifted[i] += sign * step
            atoms.set_positions(shifted.reshape(-1, 3))
            hessian[i] -= sign * atoms.get_forces().ravel() / (2.0 * step)
    weight = np.repeat(atoms.get_masses() ** -0.5, 3)
    stiffness, vectors = np.linalg.eigh(weight[:, None] * 0.5 * (hessian + hessian.T) * weight[None])
    # the six softest, in size, are translation and rotation (five in a line: one vibration is lost there)
    inner = np.sort(np.argsort(np.abs(stiffness))[6:])
    floor = STIFFNESS_FLOOR / np.mean(atoms.get_masses())
    return np.maximum(np.abs(stiffness[inner]), floor), weight[:, None] * vectors[:, inner]


def dynamics(
    numbers: np.ndarray,
    starts: list[np.ndarray],
    count: int,
    temperatures: tuple[float, float],
    rng: np.random.Generator,
    calculator: Callable[[], Calculator] = warm_calculator,
) -> list[np.ndarray]:
    """`count` frames of Langevin dynamics in runs of five; every run has its own start and temperature."""
    frames: list[np.ndarray] = []
    while count > 0:
        length = min(count, 5)
        count -= length
        start = starts[rng.integers(len(starts))]
        atoms = Atoms(numbers, start, calculator=calculator())
        frames += _run(atoms, length, rng.uniform(*temperatures), rng)
    return frames


def _run(atoms: Atoms, length: int, temperature: float, rng: np.random.Generator) -> list[np.ndarray]:
    legacy = np.random.RandomState(int(rng.integers(2**31 - 1)))  # what ASE draws its noise from
    spread = np.sqrt(units.kB * temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(spread * legacy.standard_normal((len(atoms), 3)))
    friction = 0.02 / units.fs
    engine = Langevin(atoms, 1.0 * units.fs, temperature_K=temperature, friction=friction, rng=legacy, fixcm=False)
    frames: list[np.ndarray] = []
    try:
        for _ in range(length):
            engine.run(SAVE_EVERY)
            frames.append(atoms.get_positions())
    except SCFError:
        pass  # the frames before the failure are sound
    return frames


def torsion_samples(
    mol: Chem.Mol, numbers: np.ndarray, minima: list[np.ndarray], count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Minima with their rotatable bonds turned at random, slightly shaken; clashes are turned again."""
    rotors = geometry.rotor_bonds(mol)
    pairs = geometry.bonds(mol)
    frames: list[np.ndarray] = []
    for _ in range(10 * count if rotors else 0):
        positions = minima[rng.integers(len(minima))]
        for index in rng.permutation(len(rotors))[: rng.integers(1, min(3, len(rotors)) + 1)]:
            positions = geometry.turn(mol, positions, rotors[index], rng.uniform(-np.pi, np.pi))
        positions = positions + rng.normal(scale=0.02, size=positions.shape)
        if geometry.closest_contact(numbers, positions, pairs) > 0.6:
            frames.append(positions)
        if len(frames) == count:
            break
    return frames


def torsion_paths(
    mol: Chem.Mol, numbers: np.ndarray, minima: list[np.ndarray], count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """The low-energy surface of the rotors: short relaxations of minima with their rotors turned at random."""
    starts = torsion_samples(mol, numbers, minima, -(-count // len(PATH_STEPS)), rng)
    return _along_relaxations(numbers, starts, PATH_STEPS)[:count]


def strand_paths(
    mol: Chem.Mol, numbers: np.ndarray, minima: list[np.ndarray], count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Short relaxations of peptides with every phi and psi at random in `STRAND`.

    The energy hardly changes over that region, so a model's small errors there add up along an extended chain.
    """
    starts = []
    for _ in range(-(-count // len(STRAND_STEPS))):
        positions = minima[rng.integers(len(minima))]
        for atoms, angles in zip(geometry.backbone(mol), STRAND, strict=True):
            for dihedral in atoms:
                positions = geometry.set_dihedral(mol, positions, dihedral, rng.uniform(*angles))
        starts.append(positions)
    return _along_relaxations(numbers, starts, STRAND_STEPS)[:count]


def _along_relaxations(numbers: np.ndarray, starts: list[np.ndarray], steps: tuple[int, ...]) -> list[np.ndarray]:
    paths = (relaxation(numbers, start, max(steps)) for start in starts)
    return [path[step] for path in paths for step in steps if step < len(path)]


def bond_samples(mol: Chem.Mol, minima: list[np.ndarray], count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Minima with one or two bonds outside rings compressed or stretched: the wall and the way out of the well."""
    chain = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds() if not b.IsInRing()]
    frames = []
    for _ in range(count if chain else 0):
        positions = minima[rng.integers(len(minima))]
        for index in rng.permutation(len(chain))[: rng.integers(1, 3)]:
            positions = geometry.scale_bond(mol, positions, chain[index], rng.uniform(*BOND_FACTORS))
        frames.append(positions + rng.normal(scale=0.02, size=positions.shape))
    return frames


def bridge_samples(
    numbers: np.ndarray, minima: list[np.ndarray], pairs: np.ndarray, count: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Hydrogen bridges X-H...Y with the hydrogen anywhere from X to Y: what it costs that a proton goes over.

    The length X...Y is drawn too where it joins two molecules; within one it stays as it is, and no bridge is shorter
    than those drawn.
    """
    found = [(p, bridge) for p in minima for bridge in geometry.hydrogen_bridges(numbers, p, pairs)]
    found = [(p, (x, h, y)) for p, (x, h, y) in found if np.linalg.norm(p[x] - p[y]) > BRIDGE_LENGTHS[0]]
    frames = []
    for _ in range(count if found else 0):
        positions, (donor, hydrogen, acceptor) = found[rng.integers(len(found))]
        positions = geometry.stretch_bridge(positions, pairs, (donor, acceptor), rng.uniform(*BRIDGE_LENGTHS))
        axis = positions[acceptor] - positions[donor]
        length = float(np.linalg.norm(axis))
        on_the_way = rng.uniform(BRIDGE_END, length - BRIDGE_END)
        positions[hydrogen] = positions[donor] + on_the_way / length * axis
        frames.append(positions + rng.normal(scale=0.04, size=positions.shape))
    return frames


def assemble(
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]], closest: float, rng: np.random.Generator
) -> np.ndarray:
    """One random arrangement: a third inside contact, a third about it, a third up to 6 Angstrom apart."""
    numbers, positions = parts[0][0], parts[0][1]
    positions = positions + rng.normal(scale=0.03, size=positions.shape)
    for new_numbers, new, _ in parts[1:]:
        regime = rng.integers(3)
        ratio = rng.uniform(*((closest, 0.8), (0.8, 1.15), (1.0, 1.0))[regime])
        gap = rng.uniform(2.5, 6.0) if regime == 2 else None
        turned = geometry.turned(new + rng.normal(scale=0.03, size=new.shape), rng)
        placed = geometry.place(numbers, positions, new_numbers, turned, ratio, gap, rng)
        numbers, positions = np.concatenate([numbers, new_numbers]), np.concatenate([positions, placed])
    return positions


def relaxed_part(smiles: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Atomic numbers, relaxed positions and bonded pairs of a molecule; None where it cannot be embedded or relaxed."""
    mol, starts = geometry.embed(smiles, 1, int(rng.integers(2**31 - 1)))
    numbers = geometry.atomic_numbers(mol)
    path = relaxation(numbers, starts[0]) if starts else []
    return (numbers, path[-1], geometry.bonds(mol)) if path else None


def _start_middle_end(path: list[np.ndarray]) -> list[np.ndarray]:
    return [path[i] for i in sorted({0, len(path) // 3, len(path) - 1})] if path else []


def labelled(
    numbers: np.ndarray, pairs: np.ndarray, samples: list[Sample], max_force: float
) -> tuple[list[tuple[np.ndarray, float, np.ndarray]], dict[str, int]]:
    """(positions, energy, forces) of the samples that pass the checks, and how many were dropped for which reason."""
    kept, dropped = [], {"broken graph": 0, "no SCF convergence": 0, "force too large": 0}
    for one in samples:
        if one.intact and not geometry.keeps_graph(numbers, one.positions, pairs):
            dropped["broken graph"] += 1
            continue
        try:
            energy, forces = energy_and_forces(numbers, one.positions)
        except SCFError:
            dropped["no SCF convergence"] += 1
            continue
        if not np.isfinite(energy) or not np.all(np.linalg.norm(forces, axis=1) < max_force):
            dropped["force too large"] += 1
            continue
        kept.append((one.positions - one.positions.mean(axis=0), energy, forces))
    return kept, dropped
