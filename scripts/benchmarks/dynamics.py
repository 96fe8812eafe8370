"""Whole steps of dynamics beside the bare evaluation along the same motions, all in one process, in turns.

Each turn begins at the same positions with the same velocities (300 K) and lasts a few steps of 0.5 fs. The bare
evaluation follows positions that ASE recorded on that way, so that its neighbour list is made anew as often.
"""

import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet

from benchmarks.packages.calculators import to_atoms
from benchmarks.packages.ours import exported_file, program_route, random_potential
from benchmarks.structure import Structure, from_message
from sakeff import SAKECalculator
from sakeff.potential import Potential
from sakeff.units import ANGSTROM_PER_NM

TIMESTEP_FS = 0.5
KELVIN = 300.0
BARE = "evaluation"
# OpenMM's Reference platform computes on one thread; it may still win where there are few atoms.
SMALL = 100
FRICTION = 1.0  # 1/ps
GRAPH_ROOM = 1.3
WARM_UP = 3
FEWEST_STEPS, MOST_STEPS = 3, 20
MOST_ROUNDS = 15
FS_PER_PS = 1000.0

Turn = Callable[[int], float]  # number of steps -> seconds per step


def measure(
    model: str, path: str, structure: dict[str, Any], device: str, budget: float, least_rounds: int
) -> dict[str, Any]:
    """Seconds per step of each engine in each round: {"steps": .., "rounds": {engine: [..]}}."""
    here = from_message(structure)
    moving = thermal(here)
    exported = exported_file(model, path)
    turns = make_turns(exported, here, moving, device)
    if device == "cuda" and not here.periodic:
        turns.update(graph_turns(random_potential(model), path, here, moving, "CUDA"))
    for turn in turns.values():
        for _ in range(WARM_UP):
            turn(1)
    steps, rounds = plan(turns[BARE](1), len(turns), budget, least_rounds)
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name, turn in turns.items():
            found[name].append(turn(steps))
    return {"steps": steps, "rounds": found}


def plan(seconds: float, engines: int, budget: float, least_rounds: int) -> tuple[int, int]:
    """Steps of a turn and rounds that a budget (s) allows."""
    affordable = budget / (seconds * engines)
    steps = int(np.clip(affordable / least_rounds, FEWEST_STEPS, MOST_STEPS))
    return steps, int(np.clip(affordable / steps, least_rounds, MOST_ROUNDS))


def thermal(structure: Structure) -> Atoms:
    """The structure with velocities at 300 K and no net motion."""
    atoms = to_atoms(structure)
    thermalize_momenta(atoms, KELVIN, rng=np.random.default_rng(3))
    Stationary(atoms)
    return atoms


def make_turns(exported: Path, structure: Structure, moving: Atoms, device: str) -> dict[str, Turn]:
    """Every engine, ready to run."""
    turns = {
        BARE: bare_turn(exported, structure, moving, device),
        "ASE Langevin": ase_turn(exported, moving, device),
    }
    name = "CUDA" if device == "cuda" else "CPU"
    turns[f"OpenMM TorchForce, {name}"] = openmm_turn(exported, structure, moving, device, "torch", name)
    turns[f"OpenMM PythonForce, {name}"] = openmm_turn(exported, structure, moving, device, "python", name)
    if device == "cpu" and len(moving) < SMALL:
        reference = openmm_turn(exported, structure, moving, device, "torch", "Reference")
        turns["OpenMM TorchForce, Reference"] = reference
    return turns


def graph_turns(potential: Potential, path: str, structure: Structure, moving: Atoms, platform: str) -> dict[str, Turn]:
    """The same with one CUDA graph for each step; exported files have lists of their own, so not with those."""
    options = {"kernels": path, "dtype": "float32"}
    device = "cuda" if platform == "CUDA" else "cpu"
    by_openmm = openmm_turn(
        potential, structure, moving, device, "torch", platform, **options, graph_room=GRAPH_ROOM
    )  # fmt: skip
    return {
        "ASE Langevin, CUDA graph": ase_turn(potential, moving, device, **options),
        "OpenMM TorchForce, CUDA graph": by_openmm,
    }


def ase_turn(model: Path | Potential, moving: Atoms, device: str, **options: Any) -> Turn:
    """Steps of ASE's Langevin integrator."""
    atoms = moving.copy()
    atoms.calc = SAKECalculator(model, device=device, **options)
    friction = FRICTION / (FS_PER_PS * units.fs)
    rng = np.random.default_rng(4)
    dynamics = Langevin(atoms, TIMESTEP_FS * units.fs, temperature_K=KELVIN, friction=friction, fixcm=False, rng=rng)

    def turn(steps: int) -> float:
        reset(atoms, moving)
        atoms.get_forces()  # of the start; each step then evaluates once
        start = time.perf_counter()
        dynamics.run(steps)
        return (time.perf_counter() - start) / steps

    return turn


def bare_turn(exported: Path, structure: Structure, moving: Atoms, device: str) -> Turn:
    """Evaluations of the exported file along the recorded way."""
    forces = program_route(exported, structure, device)
    way = recorded_way(exported, moving, device)

    def turn(steps: int) -> float:
        forces(moving.positions)
        start = time.perf_counter()
        for positions in way[:steps]:
            forces(positions)
        return (time.perf_counter() - start) / steps

    return turn


def recorded_way(exported: Path, moving: Atoms, device: str) -> list[np.ndarray]:
    """Positions after each step of velocity Verlet."""
    atoms = moving.copy()
    atoms.calc = SAKECalculator(exported, device=device)
    way: list[np.ndarray] = []
    dynamics = VelocityVerlet(atoms, TIMESTEP_FS * units.fs)
    dynamics.attach(lambda: way.append(atoms.get_positions()), interval=1)
    dynamics.run(MOST_STEPS)
    return way[1:]


def openmm_turn(
    model: Path | Potential,
    structure: Structure,
    moving: Atoms,
    device: str,
    backend: str,
    platform: str,
    **force_options: Any,
) -> Turn:
    """Steps of OpenMM's ``LangevinMiddleIntegrator``; each evaluates once."""
    from benchmarks.openmm_context import make_context  # OpenMM is an extra

    context = make_context(model, structure, device, backend, platform, **force_options)
    velocities = moving.get_velocities() * units.fs * FS_PER_PS / ANGSTROM_PER_NM  # nm/ps

    def turn(steps: int) -> float:
        context.setPositions(moving.positions / ANGSTROM_PER_NM)
        context.setVelocities(velocities)
        context.getState(energy=True)  # as with ASE, the list is of the start, whatever the last turn left
        start = time.perf_counter()
        context.getIntegrator().step(steps)
        context.getState(positions=True)  # waits for a GPU
        return (time.perf_counter() - start) / steps

    return turn


def reset(atoms: Atoms, start: Atoms) -> None:
    """Positions and momenta of the start."""
    atoms.positions = start.positions
    atoms.set_momenta(start.get_momenta())
