"""OpenMM contexts around a model."""

from pathlib import Path
from typing import Any, Callable

import numpy as np
import openmm
from ase.data import atomic_masses

from benchmarks.structure import Structure
from sakeff.engines.openmm import openmm_force
from sakeff.potential import Potential
from sakeff.units import ANGSTROM_PER_NM, KJ_PER_MOL_NM_PER_EV_ANGSTROM

PLATFORMS = {"cpu": "CPU", "cuda": "CUDA"}
TIMESTEP_PS = 0.0005
FRICTION = 1.0  # 1/ps
KELVIN = 300.0


def make_context(
    model: Path | Potential,
    structure: Structure,
    device: str,
    backend: str,
    platform: str | None = None,
    **force_options: Any,
) -> "openmm.Context":
    """A context with ``LangevinMiddleIntegrator``, 0.5 fs, at the structure's positions."""
    system = openmm.System()
    for number in structure.numbers:
        system.addParticle(atomic_masses[number])
    if structure.periodic:
        system.setDefaultPeriodicBoxVectors(*(structure.cell / ANGSTROM_PER_NM))
    numbers = structure.numbers.tolist()
    positions = structure.positions / ANGSTROM_PER_NM * openmm.unit.nanometer
    force_options |= {"backend": backend, "periodic": structure.periodic, "device": device, "positions": positions}
    force = openmm_force(model, numbers, **force_options)
    system.addForce(force)
    integrator = openmm.LangevinMiddleIntegrator(KELVIN, FRICTION, TIMESTEP_PS)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform or PLATFORMS[device]))
    context.setPositions(structure.positions / ANGSTROM_PER_NM)
    return context


def context_forces(context: "openmm.Context") -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A)."""

    def forces(positions: np.ndarray) -> np.ndarray:
        context.setPositions(positions / ANGSTROM_PER_NM)
        state = context.getState(energy=True, forces=True)
        found = state.getForces(asNumpy=True).value_in_unit(openmm.unit.kilojoule_per_mole / openmm.unit.nanometer)
        return np.asarray(found) / KJ_PER_MOL_NM_PER_EV_ANGSTROM

    return forces
