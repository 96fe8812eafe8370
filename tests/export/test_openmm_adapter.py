import pytest
import torch

from sakeff.export.openmm_adapter import OpenMMAdapter
from sakeff.export.torchscript import eager_program, scripted
from sakeff.units import KJ_PER_MOL_PER_EV
from tests.contract.architectures import SO3KRATES
from tests.helpers import ethanol, evaluate, make_potential, triclinic_box


@pytest.fixture(scope="module")
def potential():
    return make_potential(SO3KRATES)


def adapter_for(potential, system, particles=None, dtype="float64"):
    numbers = system.numbers.tolist()
    particles = list(range(len(numbers))) if particles is None else particles
    periodic = bool(system.pbc.any())
    return OpenMMAdapter(eager_program(potential, {}, dtype=dtype).program, numbers, particles, periodic, 0.0, 0.0)


def test_units_of_an_open_structure(potential):
    system = ethanol()
    energy, forces = adapter_for(potential, system)(system.positions / 10)
    expected = evaluate(potential, system)
    torch.testing.assert_close(energy, expected.energy[0].detach() * KJ_PER_MOL_PER_EV, rtol=1e-12, atol=0)
    torch.testing.assert_close(forces, expected.forces.detach() * KJ_PER_MOL_PER_EV * 10, rtol=1e-9, atol=1e-9)


def test_units_of_a_box(potential):
    system = triclinic_box()
    energy, _ = adapter_for(potential, system)(system.positions / 10, system.cell[0] / 10)
    expected = evaluate(potential, system).energy[0].detach() * KJ_PER_MOL_PER_EV
    torch.testing.assert_close(energy, expected, rtol=1e-12, atol=0)


def test_only_the_particles_it_acts_on_have_forces(potential):
    system = ethanol()
    everything = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    particles = [3, 19, 0, 7, 5, 11, 2, 13, 8]
    everything[particles] = system.positions / 10
    forces = adapter_for(potential, system, particles)(everything)[1]
    others = [index for index in range(20) if index not in particles]
    assert not forces[others].any()
    torch.testing.assert_close(forces[particles], adapter_for(potential, system)(system.positions / 10)[1])


def test_single_precision_positions_of_a_gpu_context(potential):
    system = ethanol()
    energy, forces = scripted(adapter_for(potential, system))((system.positions / 10).float())
    expected = evaluate(potential, system)
    assert float(energy) == pytest.approx(float(expected.energy) * KJ_PER_MOL_PER_EV, abs=1e-3)
    assert forces.shape == (9, 3)


def test_energy_is_the_integral_of_the_forces(potential):
    system = ethanol()
    adapter = adapter_for(potential, system)
    step = torch.zeros_like(system.positions)
    step[2, 1] = 1e-5
    plus, minus = (adapter(system.positions / 10 + sign * step)[0] for sign in (1, -1))
    slope = -float(plus - minus) / 2e-5
    assert slope == pytest.approx(float(adapter(system.positions / 10)[1][2, 1]), rel=1e-6)


def test_the_list_survives_freezing(potential):
    """A TorchForce freezes the module of each Context: the list must stay a state there, and not become a constant."""
    system = triclinic_box()
    frozen = torch.jit.freeze(scripted(adapter_for(potential, system)))
    for step in range(5):
        frozen(system.positions / 10 + 1e-4 * step, system.cell[0] / 10)
    assert getattr(frozen.program.lists, "0").rebuilds == 1
    frozen(system.positions / 10 + 0.1, system.cell[0] / 10)
    assert getattr(frozen.program.lists, "0").rebuilds == 2
