import math

import numpy as np
import openmm
import pytest
import torch
from openmm import app, unit

from sakeff.engines.openmm import openmm_force, openmm_system
from sakeff.engines.openmm_xml import copy_system
from sakeff.errors import ConfigError, StructureError
from sakeff.export.torchscript import export_program
from tests.contract.architectures import TRAINED, random_case
from tests.engines.morse import BOND, cluster, dimers_in_a_box, morse_potential
from tests.engines.runners import evaluate_context, make_context, make_system, skip_without_openmmtorch
from tests.helpers import ethanol, evaluate, moved, triclinic_box
from tests.neighbours.cases import random_structure

DALTON, PS = unit.dalton, unit.picosecond


@pytest.fixture(params=["torch", "python"])
def backend(request):
    if request.param == "torch":
        skip_without_openmmtorch()
    return request.param


@pytest.fixture(scope="module")
def potential():
    return random_case("so3krates").potential


ETHANOL_BONDS = [(0, 1), (1, 2), (0, 3), (0, 4), (0, 5), (1, 6), (1, 7), (2, 8)]


def topology_of(system, bonds=()):
    topology = app.Topology()
    residue = topology.addResidue("MOL", topology.addChain())
    atoms = []
    for number in system.numbers.tolist():
        element = app.Element.getByAtomicNumber(number)
        atoms.append(topology.addAtom(element.symbol, element, residue))
    for one, other in bonds:
        topology.addBond(atoms[one], atoms[other])
    if bool(system.pbc.any()):
        topology.setPeriodicBoxVectors([openmm.Vec3(*row) for row in (system.cell[0] / 10).tolist()] * unit.nanometer)
    return topology


def ethanol_topology():
    return topology_of(ethanol(), ETHANOL_BONDS)


def masses(system):
    return [system.getParticleMass(index).value_in_unit(DALTON) for index in range(system.getNumParticles())]


# ---------------------------------------------------------------- the force


def test_real_forces_of_openmm(potential, backend):
    force = openmm_force(potential, ethanol_topology(), backend)
    assert type(force).__name__ == {"torch": "TorchForce", "python": "PythonForce"}[backend]
    assert not force.usesPeriodicBoundaryConditions()


def test_periodic_when_the_topology_is(potential, backend):
    topology = topology_of(triclinic_box())
    assert openmm_force(potential, topology, backend).usesPeriodicBoundaryConditions()
    assert not openmm_force(potential, topology, backend, periodic=False).usesPeriodicBoundaryConditions()


def test_subset_of_particles(potential, backend):
    """Ethanol strewn among other particles, in another order."""
    system = ethanol()
    particles = [3, 11, 0, 7, 5, 9, 2, 10, 8]
    numbers = np.zeros(12, dtype=int)
    numbers[particles] = system.numbers
    numbers[[1, 4]] = 26  # not known to the model, and not its business
    positions = np.random.default_rng(0).normal(size=(12, 3))
    positions[particles] = system.positions
    force = openmm_force(potential, numbers, backend, particles=particles, dtype="float64")
    whole = openmm.System()
    for _ in numbers:
        whole.addParticle(1.0)
    whole.addForce(force)
    energy, forces = evaluate_context(make_context(whole), positions)
    expected = evaluate(potential, system)
    assert energy == pytest.approx(float(expected.energy), rel=1e-9)
    np.testing.assert_allclose(forces[particles], expected.forces.detach(), rtol=0, atol=1e-9)
    assert not forces[[1, 4, 6]].any()


def test_a_box_that_changes_is_followed(potential, backend):
    system = triclinic_box()
    force = openmm_force(potential, system.numbers.tolist(), backend, periodic=True, dtype="float64")
    context = make_context(make_system(force, system))
    evaluate_context(context, system.positions)
    for scale in (1.0005, 0.97, 1.3, 1.0):
        context.setPeriodicBoxVectors(*(scale * system.cell[0].numpy() / 10))
        expected = evaluate(potential, system._replace(cell=scale * system.cell))
        energy, forces = evaluate_context(context)
        assert energy == pytest.approx(float(expected.energy), rel=1e-9)
        np.testing.assert_allclose(forces, expected.forces.detach(), rtol=0, atol=1e-9)


def test_a_second_context_has_its_own_list(potential, backend):
    system = make_system(openmm_force(potential, ethanol().numbers.tolist(), backend, dtype="float64"), ethanol())
    one, two = make_context(system), make_context(system, "CPU")
    for seed in (0, 7):
        structure, other = ethanol(seed=seed), ethanol(seed=seed + 1, noise=0.3)
        energies = evaluate_context(one, structure.positions)[0], evaluate_context(two, other.positions)[0]
        expected = [float(evaluate(potential, each).energy) for each in (structure, other)]
        assert energies == pytest.approx(expected, rel=1e-9)
        assert evaluate_context(one)[0] == pytest.approx(expected[0], rel=1e-9)


def test_forces_come_from_exported_files(potential, backend, tmp_path):
    export_program(potential, tmp_path / "program.pt", {}, dtype="float64")
    force = openmm_force(tmp_path / "program.pt", ethanol_topology(), backend)
    energy, _ = evaluate_context(make_context(make_system(force, ethanol())), ethanol().positions)
    assert energy == pytest.approx(float(evaluate(potential, ethanol()).energy), rel=1e-9)


def test_integrator_conserves_energy(backend):
    potential, start = morse_potential(), cluster()
    force = openmm_force(potential, start.numbers.tolist(), backend, dtype="float64")
    system = make_system(force, start)
    for index, mass in enumerate([12.0, 12.0, 16.0, 1.0, 1.0]):
        system.setParticleMass(index, mass)
    context = make_context(system, step=0.0001)
    context.setPositions(start.positions.numpy() / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 0.1)
    context.setVelocitiesToTemperature(300, 1)

    def total():
        state = context.getState(getEnergy=True)
        return (state.getPotentialEnergy() + state.getKineticEnergy()).value_in_unit(unit.kilojoule_per_mole)

    before = total()
    context.getIntegrator().step(500)
    assert total() == pytest.approx(before, abs=0.1)


# ---------------------------------------------------------------- the minimiser


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_minimiser_converges(backend, dtype):
    start = cluster()
    force = openmm_force(morse_potential(), start.numbers.tolist(), backend, dtype=dtype)
    context = make_context(make_system(force, start), "CPU")
    context.setPositions(start.positions.numpy() / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 1.0)  # kJ/mol/nm, root mean square
    forces = context.getState(getForces=True).getForces(asNumpy=True)._value
    assert math.sqrt((forces**2).mean()) <= 1.0
    found = moved(start, context.getState(getPositions=True).getPositions(asNumpy=True)._value * 10)
    assert evaluate_context(context)[0] < float(evaluate(morse_potential(), start).energy)
    assert np.isfinite(found.positions).all()


@pytest.mark.parametrize("name", TRAINED)
def test_minimiser_converges_with_bundled_models(name):
    force = openmm_force(name, ethanol_topology(), dtype="float32")
    context = make_context(make_system(force, ethanol()), "CPU")
    context.setPositions(ethanol().positions.numpy() / 10)
    openmm.LocalEnergyMinimizer.minimize(context, 5.0)
    forces = context.getState(getForces=True).getForces(asNumpy=True)._value
    assert math.sqrt((forces**2).mean()) <= 5.0


# ---------------------------------------------------------------- the system


def test_system_is_ready(potential, backend):
    system = openmm_system(potential, ethanol_topology(), backend)
    assert masses(system) == pytest.approx([12.01078] * 2 + [15.99943] + [1.007947] * 6, abs=1e-4)
    names = [force.getName() for force in system.getForces()]
    assert "ZeroStrengthBonds" in names
    assert "CMMotionRemover" in names
    assert not system.usesPeriodicBoundaryConditions()
    context = make_context(system)
    assert sorted(context.getMolecules()[0]) == list(range(9))
    energy, _ = evaluate_context(context, ethanol().positions)
    assert energy == pytest.approx(float(evaluate(potential, ethanol()).energy), abs=1e-4)


def test_system_has_the_box_of_the_topology(potential, backend):
    system = openmm_system(potential, topology_of(triclinic_box()), backend, dtype="float64", remove_cm_motion=False)
    assert system.usesPeriodicBoundaryConditions()
    assert [force.getName() for force in system.getForces()][1:] == ["ZeroStrengthBonds"]
    energy, _ = evaluate_context(make_context(system), triclinic_box().positions)
    assert energy == pytest.approx(float(evaluate(potential, triclinic_box()).energy), rel=1e-9)


@pytest.mark.parametrize("mass", [3.0, 3.0 * DALTON])
def test_hydrogen_mass_is_taken_from_heavy_atoms(potential, mass):
    plain = openmm_system(potential, ethanol_topology(), "python")
    heavy = openmm_system(potential, ethanol_topology(), "python", hydrogen_mass=mass)
    assert masses(heavy)[3:] == pytest.approx([3.0] * 6)
    assert sum(masses(heavy)) == pytest.approx(sum(masses(plain)))
    hydrogen = masses(plain)[8]
    assert masses(heavy)[0] == pytest.approx(masses(plain)[0] - 3 * (3.0 - hydrogen))


def test_hydrogen_mass_that_is_not_there(potential):
    with pytest.raises(StructureError, match="hydrogen_mass"):
        openmm_system(potential, ethanol_topology(), "python", hydrogen_mass=5.0)


def test_barostat_moves_whole_molecules(backend):
    """A hundred volume moves at high pressure: the box shrinks, bonds do not, and the force has followed the box."""
    start = dimers_in_a_box()
    bonds = [(2 * k, 2 * k + 1) for k in range(start.numbers.shape[0] // 2)]
    potential = morse_potential(steepness=4.0, cutoff=1.9)
    system = openmm_system(potential, topology_of(start, bonds), backend, dtype="float64")
    system.addForce(openmm.MonteCarloBarostat(20000 * unit.bar, 300 * unit.kelvin, 1))
    integrator = openmm.LangevinMiddleIntegrator(300, 5 / PS, 0.0005)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("CPU"))
    context.setPositions(start.positions.numpy() / 10)
    context.setVelocitiesToTemperature(300, 2)
    integrator.step(100)
    state = context.getState(getPositions=True, getEnergy=True)
    box = state.getPeriodicBoxVectors(asNumpy=True)._value * 10
    positions = state.getPositions(asNumpy=True)._value * 10
    assert np.linalg.det(box) < 0.97 * 14.0**3
    lengths = np.linalg.norm(positions[0::2] - positions[1::2], axis=1)
    assert np.abs(lengths - BOND).max() < 0.3
    now = start._replace(positions=start.positions.new_tensor(positions), cell=start.cell.new_tensor(box)[None])
    assert evaluate_context(context)[0] == pytest.approx(float(evaluate(potential, now).energy), rel=1e-9)


def test_without_bonds_a_barostat_would_scale_atoms(backend):
    """What the zero-strength bonds are for."""
    start = dimers_in_a_box()
    system = openmm_system(morse_potential(), topology_of(start), backend)
    assert len(make_context(system).getMolecules()) == start.numbers.shape[0]


def test_copies_of_a_system(potential, backend):
    system = copy_system(openmm_system(potential, ethanol_topology(), backend, dtype="float64"))
    energy, _ = evaluate_context(make_context(system), ethanol().positions)
    assert energy == pytest.approx(float(evaluate(potential, ethanol()).energy), rel=1e-9)


# ---------------------------------------------------------------- refusals


def bad_particles(particles):
    return lambda model: openmm_force(model, [6, 8, 1], particles=particles)


WITH_SITE = topology_of(ethanol())
WITH_SITE.addAtom("M", None, next(WITH_SITE.residues()))
BAD = {
    "unknown element": (lambda model: openmm_force(model, [6, 26]), r"numbers \[26\]"),
    "virtual site": (lambda model: openmm_system(model, WITH_SITE), "virtual site"),
    "no particles": (bad_particles([]), "at least one"),
    "particle out of range": (bad_particles([0, 3]), "0 to 2"),
    "negative particle": (bad_particles([-1]), "0 to 2"),
    "particle twice": (bad_particles([1, 1]), "twice"),
    "mask of particles": (bad_particles([False, True]), "no index"),
    "numpy mask of particles": (bad_particles(np.array([False, True, False])), "no index"),
    "fraction of a particle": (bad_particles([0.5]), "no index"),
    "positions without a unit": (lambda model: openmm_force(model, [6, 8], positions=np.zeros((2, 3))), "no unit"),
    "charge": (lambda model: openmm_force(model, [6, 8], charge=1), "total charge of 1"),
    "spin": (lambda model: openmm_force(model, [6, 8], spin=1), "unpaired"),
    "periodic without a box": (lambda model: openmm_system(model, ethanol_topology(), periodic=True), "no box"),
}


@pytest.mark.parametrize("name", BAD)
def test_refused_before_a_context_exists(potential, name):
    make, sentence = BAD[name]
    with pytest.raises(StructureError, match=sentence):
        make(potential)


def test_all_pairs_refuse_periodic_topologies():
    with pytest.raises(StructureError, match="open structures"):
        openmm_force(random_case("so3krates-nonlocal").potential, topology_of(triclinic_box()))


def test_non_finite_positions_raise(potential, backend):
    context = make_context(make_system(openmm_force(potential, ethanol().numbers.tolist(), backend), ethanol()))
    context.setPositions(np.full((9, 3), math.nan))
    with pytest.raises(openmm.OpenMMException, match=r"finite|NaN"):
        context.getState(getEnergy=True, getForces=True)
    assert np.isfinite(evaluate_context(context, ethanol().positions)[0])


def overlapping_context(potential, backend):
    context = make_context(make_system(openmm_force(potential, ethanol().numbers.tolist(), backend), ethanol()))
    positions = ethanol().positions.clone()
    positions[0] = positions[1] + 0.1
    context.setPositions(positions.numpy() / 10)
    return context


def test_overlapping_atoms_have_no_numbers(potential, backend):
    context = overlapping_context(potential, backend)
    energy, forces = evaluate_context(context)
    assert energy == math.inf
    assert np.isnan(forces).all()
    assert np.isfinite(evaluate_context(context, ethanol().positions)[0])


def test_dynamics_from_overlapping_atoms_stop(potential, backend):
    context = overlapping_context(potential, backend)
    with pytest.raises(openmm.OpenMMException, match=r"finite|NaN"):
        context.getIntegrator().step(3)


def at(system):
    return 0.1 * system.positions.numpy() * unit.nanometer


WIDE_BOX = random_structure(5, 12, (13.0 * torch.eye(3)).tolist(), (True, True, True))
WIDE_BOX = WIDE_BOX._replace(numbers=torch.tensor([6, 1, 8, 1] * 3))


@pytest.mark.parametrize("system", [ethanol(), WIDE_BOX], ids=["open", "periodic"])
def test_lists_of_fixed_length_give_the_same_forces(potential, system):
    skip_without_openmmtorch()
    topology, options = topology_of(system), {"backend": "torch", "dtype": "float64", "kernels": "torch"}
    forces = [
        openmm_force(potential, topology, **options),
        openmm_force(potential, topology, **options, positions=at(system), graph_room=1.3),
    ]
    contexts = [make_context(make_system(force, system)) for force in forces]
    usual, fixed = [evaluate_context(context, system.positions) for context in contexts]
    assert fixed[0] == pytest.approx(usual[0], abs=1e-9)
    np.testing.assert_allclose(fixed[1], usual[1], atol=1e-9)


def test_a_torch_force_of_fixed_length_asks_for_a_cuda_graph(potential):
    force = openmm_force(potential, topology_of(ethanol()), "torch", positions=at(ethanol()), graph_room=1.3)
    assert force.getProperties()["useCUDAGraphs"] == "true"


def test_what_lists_of_fixed_length_need(potential, tmp_path):
    file = tmp_path / "program.pt"
    export_program(potential, file, {})
    numbers = ethanol().numbers.tolist()
    with pytest.raises(ConfigError, match="needs positions"):
        openmm_force(potential, numbers, graph_room=1.3)
    with pytest.raises(ConfigError, match="not exported"):
        openmm_force(file, numbers, positions=at(ethanol()), graph_room=1.3)
    with pytest.raises(ConfigError, match="1 or more"):
        openmm_force(potential, numbers, positions=at(ethanol()), graph_room=0.5)
    with pytest.raises(ConfigError, match="TorchForce alone"):
        openmm_force(potential, numbers, "python", positions=at(ethanol()), graph_room=1.3)
    with pytest.raises(ConfigError, match="needs its box"):
        openmm_force(potential, numbers, positions=at(ethanol()), graph_room=1.3, periodic=True)
