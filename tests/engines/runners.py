"""Every way to evaluate a potential, as one kind of function: positions (N, 3) A to energy (eV) and forces (eV/A)."""

import numpy as np
import openmm
import pytest
import torch
from ase import Atoms

from sakeff.engines.ase import SAKECalculator
from sakeff.engines.openmm import openmm_force
from sakeff.engines.openmm_plugin import load_openmmtorch
from sakeff.errors import EngineUnavailableError
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import eager_program, export_program, load_program, scripted
from sakeff.units import KJ_PER_MOL_NM_PER_EV_ANGSTROM, KJ_PER_MOL_PER_EV


def skip_without_openmmtorch():
    try:
        load_openmmtorch()
    except EngineUnavailableError as error:
        pytest.skip(str(error))


def call(program, system, positions):
    with gradients_enabled():
        found = program(system.numbers, torch.as_tensor(positions), system.cell[0], system.pbc[0], 0.0, 0.0)
    return float(found[0]), found[2].numpy()


def eager(potential, system, dtype, folder):
    program = eager_program(potential, {}, dtype=dtype, kernels="auto").program
    return lambda positions: call(program, system, positions)


def in_torchscript(potential, system, dtype, folder):
    program = scripted(eager_program(potential, {}, dtype=dtype, kernels="auto").program)
    return lambda positions: call(program, system, positions)


def from_file(potential, system, dtype, folder):
    export_program(potential, folder / "program.pt", {}, dtype=dtype, kernels="auto")
    program = load_program(folder / "program.pt").program
    return lambda positions: call(program, system, positions)


def to_atoms(system):
    return Atoms(
        system.numbers.numpy(), system.positions.numpy(), cell=system.cell[0].numpy(), pbc=system.pbc[0].numpy()
    )


def ase(potential, system, dtype, folder):
    atoms = to_atoms(system)
    atoms.calc = SAKECalculator(potential, dtype=dtype)

    def run(positions):
        atoms.positions = positions
        return atoms.get_potential_energy(), atoms.get_forces()

    return run


def make_system(force, system):
    """An OpenMM system of unit masses with one force."""
    made = openmm.System()
    for _ in range(system.numbers.shape[0]):
        made.addParticle(1.0)
    if bool(system.pbc.any()):
        made.setDefaultPeriodicBoxVectors(*(system.cell[0].numpy() / 10))
    made.addForce(force)
    return made


def make_context(system, platform="Reference", step=0.001):
    return openmm.Context(system, openmm.VerletIntegrator(step), openmm.Platform.getPlatformByName(platform))


def evaluate_context(context, positions=None):
    """Energy (eV) and forces (eV/A), at positions (A) if given."""
    if positions is not None:
        context.setPositions(np.asarray(positions) / 10)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy().value_in_unit(openmm.unit.kilojoule_per_mole) / KJ_PER_MOL_PER_EV
    return energy, state.getForces(asNumpy=True)._value / KJ_PER_MOL_NM_PER_EV_ANGSTROM


def in_openmm(backend, platform):
    def make(potential, system, dtype, folder):
        if backend == "torch":
            skip_without_openmmtorch()
        periodic = bool(system.pbc.any())
        force = openmm_force(potential, system.numbers.tolist(), backend, dtype=dtype, periodic=periodic)
        context = make_context(make_system(force, system), platform)
        return lambda positions: evaluate_context(context, positions)

    return make


ENGINES = {
    "eager": eager,
    "scripted": in_torchscript,
    "file": from_file,
    "ase": ase,
    "TorchForce on Reference": in_openmm("torch", "Reference"),
    "TorchForce on CPU": in_openmm("torch", "CPU"),
    "PythonForce on Reference": in_openmm("python", "Reference"),
    "PythonForce on CPU": in_openmm("python", "CPU"),
}
