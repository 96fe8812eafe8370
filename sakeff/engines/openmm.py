"""OpenMM forces and systems."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from sakeff.engines.models import Model, open_model
from sakeff.engines.openmm_plugin import load_openmm, load_openmmtorch
from sakeff.errors import ConfigError, EngineUnavailableError, StructureError
from sakeff.export.agreement import require_agreement
from sakeff.export.checks import check_state
from sakeff.export.fixed_shape import FixedShapeProgram, capacities_for
from sakeff.export.header import ProgramHeader
from sakeff.export.openmm_adapter import OpenMMAdapter
from sakeff.export.program import Program, gradients_enabled
from sakeff.export.torchscript import MadeProgram, check_on, scripted
from sakeff.types import System, single_system

openmm = load_openmm()
from openmm import unit  # noqa: E402 (only once it is known to load)
from openmm.app import Topology, element  # noqa: E402

USUAL_DTYPE = "float32"


class Setup(NamedTuple):
    """What a force is made of."""

    program: nn.Module
    numbers: list[int]  # of the particles that the potential acts on
    particles: list[int]  # their indices in the system
    count: int  # particles of the system
    periodic: bool
    charge: float
    spin: float
    device: str
    graph: bool  # of fixed shapes


def openmm_force(
    model: Model,
    topology_or_numbers: Topology | Sequence[int],
    backend: str = "auto",
    particles: Iterable[int] | None = None,
    charge: float = 0.0,
    spin: float = 0.0,
    dtype: str | None = None,
    skin: float | None = None,
    periodic: bool | None = None,
    device: str = "cpu",
    kernels: str = "auto",
    positions: "unit.Quantity | None" = None,
    graph_room: float | None = None,
) -> "openmm.Force":
    """A trained potential as an OpenMM force: energy in kJ/mol, forces in kJ/mol/nm.

    Args:
        model: name of a bundled model, checkpoint folder, exported file, or a ``Potential``.
        topology_or_numbers: an OpenMM topology, or the atomic numbers of all particles of the system.
        backend: "torch", an ``openmmtorch.TorchForce``; "python", an ``openmm.PythonForce``; "auto", the first of them
            that loads. Both give the same numbers.
        particles: indices of the particles that the potential acts on; default all.
        charge: their total charge, e.
        spin: their number of unpaired electrons (not the multiplicity).
        dtype: "float32" or "float64" of the network; default that of an exported file, or else float32. Positions and
            sums of energies are float64 in both.
        skin: A, of the Verlet list; default 0.5, or that of the exported file.
        periodic: default: whether the topology has box vectors; atomic numbers alone are taken as open.
        device: of torch, for the python backend; a TorchForce runs where its platform runs.
        kernels: "native" (C++ operators on the CPU), "torch" (needs no compiler), "reference" (the potential as it was
            trained), or "auto": the first of them that is to be had. A fast path has been compared with the reference
            on small structures of the model's elements when the force exists.
        positions: of all particles; if given, a fast path is compared with the reference there, too.
        graph_room: lists of fixed length with room for this many times the edges at ``positions``, for instance 1.3, so
            that a TorchForce on the CUDA platform runs as one CUDA graph. Where edges do not fit, energy and forces are
            NaN; ``sakeff md --cuda-graphs`` then goes back a little and makes more room. For up to 2000 atoms, open or
            in a box at least two cutoffs wide. Not with a barostat, which does not notice NaN.

    The neighbour list follows the box at each step and accepts wrapped and unwrapped positions alike. Atoms nearer than
    0.3 A have infinite energy and NaN forces: the minimiser and barostats step back, and dynamics end with OpenMM's
    "Particle coordinate is NaN".

    Two limits of openmmtorch 1.5: a TorchForce needs gradients enabled in the calling thread (no ``torch.no_grad()``
    around OpenMM), and OpenMM 8.6 crashes when it reads a TorchForce back from XML or copies it: use ``read_xml`` and
    ``copy_system`` of ``sakeff.engines.openmm_xml`` there. A PythonForce has neither limit.

    Raises StructureError where particles, elements, charge, spin or periodicity do not fit the model, CheckpointError,
    ConfigError, and EngineUnavailableError if the backend does not load.

    """
    make = _maker(backend)
    everything = _numbers(topology_or_numbers)
    if periodic is None:
        periodic = isinstance(topology_or_numbers, Topology) and topology_or_numbers.getPeriodicBoxVectors() is not None
    chosen = _particles(particles, len(everything))
    numbers = [everything[index] for index in chosen]
    opened = open_model(model, USUAL_DTYPE, dtype, skin, kernels=kernels)
    _check_fit(opened.header, numbers, periodic, float(charge), float(spin))
    program, graph = opened.program, graph_room is not None
    if positions is not None:
        structure = _structure(topology_or_numbers, positions, numbers, chosen, periodic)
        check_on(opened, structure)
        if graph_room is not None:
            program = _fixed_shape(opened, structure, graph_room, periodic)
            _compare(program, opened, structure, charge, spin)
    elif graph_room is not None:
        raise ConfigError("graph_room needs positions, to count the edges there; give both.")
    return make(Setup(program, numbers, chosen, len(everything), periodic, charge, spin, device, graph))


def openmm_system(
    model: Model,
    topology: Topology,
    backend: str = "auto",
    charge: float = 0.0,
    spin: float = 0.0,
    dtype: str | None = None,
    skin: float | None = None,
    periodic: bool | None = None,
    device: str = "cpu",
    hydrogen_mass: "float | unit.Quantity | None" = None,
    remove_cm_motion: bool = True,
    kernels: str = "auto",
    positions: "unit.Quantity | None" = None,
    graph_room: float | None = None,
) -> "openmm.System":
    """A ready OpenMM system in which the potential acts on all atoms of a topology.

    It has masses, box vectors, the force of ``openmm_force`` (same arguments and errors), a bond of zero strength for
    each bond of the topology, so that barostats and trajectory writers know the molecules, and a ``CMMotionRemover``
    unless ``remove_cm_motion`` is False. ``hydrogen_mass`` (dalton) moves mass to hydrogens from the heavy atoms they
    are bonded to. A topology without bonds can get them from ``topology.createStandardBonds()``.
    """
    force = openmm_force(
        model, topology, backend, charge=charge, spin=spin, dtype=dtype, skin=skin, periodic=periodic, device=device,
        kernels=kernels, positions=positions, graph_room=graph_room,
    )  # fmt: skip
    system = openmm.System()
    for atom in topology.atoms():
        system.addParticle(atom.element.mass)
    if force.usesPeriodicBoundaryConditions():
        system.setDefaultPeriodicBoxVectors(*_box(topology))
    system.addForce(force)
    system.addForce(_zero_strength_bonds(topology))
    if hydrogen_mass is not None:
        repartition_mass(system, topology, hydrogen_mass)
    if remove_cm_motion:
        system.addForce(openmm.CMMotionRemover())
    return system


def repartition_mass(system: "openmm.System", topology: Topology, hydrogen_mass: "float | unit.Quantity") -> None:
    """Give each bonded hydrogen this mass (dalton), taken from its heavy atom; the total mass stays.

    Raises StructureError where a heavy atom would be left lighter than its hydrogens.
    """
    target = unit.Quantity(hydrogen_mass, unit.dalton) if not unit.is_quantity(hydrogen_mass) else hydrogen_mass
    for bond in topology.bonds():
        light, heavy = sorted(bond, key=lambda atom: atom.element is not element.hydrogen)
        if light.element is not element.hydrogen or heavy.element is element.hydrogen:
            continue
        moved = target - system.getParticleMass(light.index)
        left = system.getParticleMass(heavy.index) - moved
        if left < target:
            raise StructureError(
                f"A hydrogen mass of {target} leaves {left} for {heavy}; choose a smaller hydrogen_mass."
            )
        system.setParticleMass(light.index, target)
        system.setParticleMass(heavy.index, left)


def _maker(backend: str) -> "Callable[[Setup], openmm.Force]":
    if backend == "torch":
        load_openmmtorch()
        return _torch_force
    if backend == "python":
        return _python_force
    if backend != "auto":
        raise ConfigError(f"Unknown backend {backend!r}; choose 'torch', 'python' or 'auto'.")
    try:
        return _maker("torch")
    except EngineUnavailableError:
        return _maker("python")


def _adapter(setup: Setup, particles: list[int]) -> nn.Module:
    adapter = OpenMMAdapter(setup.program, setup.numbers, particles, setup.periodic, setup.charge, setup.spin)
    return scripted(adapter)


def _fixed_shape(opened: MadeProgram, structure: System, room: float, periodic: bool) -> FixedShapeProgram:
    """The program with lists of fixed length. Raises ConfigError and StructureError."""
    program = opened.program
    if not isinstance(program, Program):
        raise ConfigError("An exported file has lists of its own; use graph_room with a model that is not exported.")
    if not room >= 1.0:
        raise ConfigError(f"graph_room is {room}; give 1 or more, for instance 1.3.")
    if periodic and not bool(structure.pbc.any()):
        raise ConfigError("graph_room of a periodic system needs its box; give the topology in place of numbers.")
    slots = capacities_for(program.cutoffs, structure, room)
    return FixedShapeProgram(program.potential, slots, periodic, program.charges, program.spins)


def _compare(fixed: FixedShapeProgram, opened: MadeProgram, structure: System, charge: float, spin: float) -> None:
    """Raise AgreementError unless the program with lists of fixed length gives the numbers of the usual one."""
    inputs = (structure.numbers, structure.positions, structure.cell[0], structure.pbc[0], float(charge), float(spin))
    with gradients_enabled():
        require_agreement(fixed.trial(*inputs), opened.program.trial(*inputs), opened.header.dtype)


def _torch_force(setup: Setup) -> "openmm.Force":
    force = load_openmmtorch().TorchForce(_adapter(setup, setup.particles))
    force.setOutputsForces(True)
    if setup.graph:
        force.setProperty("useCUDAGraphs", "true")
    force.setUsesPeriodicBoundaryConditions(setup.periodic)
    return force


def _python_force(setup: Setup) -> "openmm.Force":
    from sakeff.engines.openmm_python import ProgramComputation

    if setup.graph:
        raise ConfigError("graph_room is of use for a TorchForce alone; take backend='torch' or leave it out.")
    # OpenMM hands over the chosen particles alone, so the adapter sees them as 0, 1, ...
    adapter = _adapter(setup, list(range(len(setup.numbers))))
    force = openmm.PythonForce(ProgramComputation(adapter, setup.periodic, setup.device))
    if len(setup.particles) < setup.count:
        force.setParticles(setup.particles)
    force.setUsesPeriodicBoundaryConditions(setup.periodic)
    return force


def _zero_strength_bonds(topology: Topology) -> "openmm.HarmonicBondForce":
    bonds = openmm.HarmonicBondForce()
    bonds.setName("ZeroStrengthBonds")
    for one, other in topology.bonds():
        bonds.addBond(one.index, other.index, 0.1, 0.0)
    return bonds


def _box(topology: Topology) -> "unit.Quantity":
    box = topology.getPeriodicBoxVectors()
    if box is None:
        raise StructureError("The topology has no box vectors; set them, or use periodic=False.")
    return box


def _structure(
    topology_or_numbers: Topology | Sequence[int],
    positions: "unit.Quantity",
    numbers: list[int],
    chosen: list[int],
    periodic: bool,
) -> System:
    """What the potential acts on, at positions of all particles."""
    if not unit.is_quantity(positions):
        raise StructureError("positions have no unit; multiply them, for example by openmm.unit.nanometer.")
    here = np.asarray(positions.value_in_unit(unit.angstrom))[chosen]
    if not (periodic and isinstance(topology_or_numbers, Topology)):
        return single_system(torch.tensor(numbers), torch.tensor(here))
    cell = torch.tensor(np.asarray(_box(topology_or_numbers).value_in_unit(unit.angstrom)))
    return single_system(torch.tensor(numbers), torch.tensor(here), cell, torch.ones(3, dtype=torch.bool))


def _numbers(topology_or_numbers: Topology | Sequence[int]) -> list[int]:
    """Atomic numbers; 0 for particles that are not atoms, such as virtual sites."""
    if not isinstance(topology_or_numbers, Topology):
        return [int(number) for number in topology_or_numbers]
    return [0 if atom.element is None else atom.element.atomic_number for atom in topology_or_numbers.atoms()]


def _particles(particles: Iterable[int] | None, count: int) -> list[int]:
    """Indices to act on; raises StructureError if there is none, or one is out of range or given twice."""
    chosen = list(range(count)) if particles is None else [_index(particle) for particle in particles]
    if not chosen:
        raise StructureError("There is no particle to act on; give at least one.")
    if min(chosen) < 0 or max(chosen) >= count:
        raise StructureError(f"particles must be indices from 0 to {count - 1}; correct them.")
    if len(set(chosen)) != len(chosen):
        raise StructureError("A particle is listed twice in particles; list each one once.")
    return chosen


def _index(particle: Any) -> int:
    """A whole number; neither a mask nor a fraction is taken for one."""
    try:
        if not isinstance(particle, bool):
            return operator.index(particle)
    except TypeError:
        pass
    raise StructureError(f"particles holds {particle!r}, which is no index; of a mask give numpy.flatnonzero(mask).")


def _check_fit(header: ProgramHeader, numbers: list[int], periodic: bool, charge: float, spin: float) -> None:
    """Raise StructureError for what the model cannot do, before a Context exists."""
    if 0 in numbers:
        raise StructureError("A particle has no element (a virtual site?); remove it, or leave it out with particles=.")
    unknown = sorted(set(numbers) - set(header.elements))
    if unknown:
        raise StructureError(
            f"The model does not know atomic numbers {unknown}, only {header.elements}; use a model trained for them."
        )
    check_state(charge, spin, header.charges, header.spins)
    if periodic and not header.allows_periodic:
        raise StructureError(
            "The model sums over all pairs, which exist only in open structures; use periodic=False or a local model."
        )
