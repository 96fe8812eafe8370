import pytest
import torch

from sakeff.errors import StructureError
from sakeff.export.program import Program, gradients_enabled
from sakeff.export.torchscript import eager_program, scripted
from sakeff.neighbours import TorchSearch
from tests.contract.architectures import ARCHITECTURES, SO3KRATES
from tests.helpers import ethanol, evaluate, make_potential, moved, random_numbers, triclinic_box


def call(program, system):
    with gradients_enabled():
        return program(system.numbers, system.positions, system.cell[0], system.pbc[0], 0.0, 0.0)


def program_of(potential, **options):
    return eager_program(potential, {}, **{"dtype": "float64", **options}).program


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    return request.param


def test_everything_returned_is_float64_and_detached(dtype):
    for value in call(program_of(make_potential(SO3KRATES), dtype=dtype), triclinic_box()):
        assert value.dtype == torch.float64
        assert not value.requires_grad


def test_large_reference_energies_cost_no_digits_in_float32():
    potential = make_potential(SO3KRATES)
    plain = call(program_of(potential, dtype="float32"), ethanol())[0]
    potential.reference.energies += -1000.0
    shifted = call(program_of(potential, dtype="float32"), ethanol())[0]
    assert float(shifted - plain) == pytest.approx(-9000.0, abs=1e-9)


@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False), (False, False, True)])
def test_stress_is_that_of_the_potential(pbc):
    potential, system = make_potential(SO3KRATES), triclinic_box(pbc=pbc)
    stress = call(program_of(potential), system)[3]
    torch.testing.assert_close(stress, evaluate(potential, system).stress[0].detach(), rtol=1e-9, atol=1e-12)


def test_stress_of_an_open_structure_is_zero():
    assert not call(program_of(make_potential(SO3KRATES)), ethanol())[3].any()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_skin_changes_nothing(name):
    potential, system = make_potential(ARCHITECTURES[name].representation), ethanol()
    exact, loose = (call(program_of(potential, skin=skin), system) for skin in (0.0, 2.0))
    for one, two in zip(exact, loose, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_the_list_is_kept_within_the_skin_and_renewed_beyond():
    program, system = program_of(make_potential(SO3KRATES), skin=0.5), triclinic_box()
    call(program, system)
    call(program, moved(system, system.positions + 0.1 * torch.sin(random_numbers(2, 12, 3))))
    assert program.lists[0].rebuilds == 1
    call(program, moved(system, system.positions + 0.3))
    assert program.lists[0].rebuilds == 2


def test_positions_that_require_gradients_are_welcome():
    system = ethanol()
    program = program_of(make_potential(SO3KRATES))
    asked = moved(system, system.positions.clone().requires_grad_())
    assert torch.equal(call(program, asked)[2], call(program, system)[2])


def test_callers_may_have_switched_gradients_off():
    program = program_of(make_potential(SO3KRATES))
    expected = call(program, ethanol())[2]
    with torch.no_grad():
        assert torch.equal(call(program, ethanol())[2], expected)
    with torch.inference_mode():
        assert torch.equal(call(program, ethanol())[2], expected)


def test_the_state_of_a_program_is_not_that_of_the_potential():
    potential = make_potential(SO3KRATES).train()
    eager_program(potential, {}, dtype="float32")
    assert potential.training
    assert next(potential.parameters()).dtype == torch.float64
    assert next(potential.parameters()).requires_grad


def test_one_list_for_each_request():
    potential = make_potential(ARCHITECTURES["so3krates-nonlocal"].representation)
    assert len(Program(potential, TorchSearch()).lists) == len(potential.requests()) == 2


def overlapping():
    system = ethanol()
    positions = system.positions.clone()
    positions[4] = positions[2] + 0.1
    return moved(system, positions)


def trial(program, system):
    with gradients_enabled():
        return program.trial(system.numbers, system.positions, system.cell[0], system.pbc[0], 0.0, 0.0)


def test_a_trial_is_an_evaluation():
    program = program_of(make_potential(SO3KRATES))
    for one, two in zip(trial(program, ethanol()), call(program, ethanol()), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("form", [lambda program: program, scripted], ids=["eager", "scripted"])
def test_a_trial_of_overlapping_atoms_is_worse_than_everything_and_goes_nowhere(form):
    energy, atomic, forces, stress = trial(form(program_of(make_potential(SO3KRATES))), overlapping())
    assert float(energy) == float("inf")
    assert energy.shape == ()
    assert atomic.shape == (9,)
    assert forces.shape == (9, 3)
    assert stress.shape == (3, 3)
    assert torch.isnan(torch.cat([atomic, forces.flatten(), stress.flatten()])).all()


def test_a_trial_refuses_what_no_step_back_can_mend():
    program, system = program_of(make_potential(SO3KRATES)), ethanol()
    with pytest.raises(StructureError, match="not finite"):
        trial(program, moved(system, system.positions * float("nan")))
