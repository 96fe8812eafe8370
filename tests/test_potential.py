import pytest
import torch

from sakeff.errors import GradientsDisabledError
from sakeff.geometry import cell_volume
from sakeff.potential import ElementReference
from tests.contract.architectures import SAKE, SO3KRATES
from tests.contract.checks import assert_close
from tests.helpers import (
    atom,
    edges_for,
    ethanol,
    evaluate,
    lists_for,
    make_potential,
    structure,
    tensor,
    triclinic_box,
)


def test_reference_energies_are_added_per_element_in_float64():
    reference = ElementReference()
    reference.energies[6], reference.energies[1] = -1035.123456789, -13.6
    reference.scale.fill_(0.5)
    outputs = torch.tensor([0.25, -0.5, 0.0], dtype=torch.float32)
    energies = reference(torch.tensor([6, 1, 6]), outputs)
    assert energies.dtype == torch.float64
    assert torch.allclose(energies, tensor([-1035.123456789 + 0.125, -13.85, -1035.123456789]), rtol=1e-15)


def test_large_references_cost_no_digits_of_float32_energies():
    potential = make_potential(SAKE).float()
    plain = evaluate(potential, ethanol())
    potential.reference.energies[[1, 6, 8]] = tensor([-13.6, -1035.0, -2040.0])
    shifted = evaluate(potential, ethanol())
    references = potential.reference.energies[ethanol().numbers].sum()
    assert_close(shifted.energy - references, plain.energy, 1e-9, scale=1.0)
    assert torch.equal(shifted.forces, plain.forces)


def test_scale_multiplies_energies_and_forces():
    potential = make_potential(SO3KRATES)
    before = evaluate(potential, ethanol())
    potential.reference.scale.fill_(7.0)
    after = evaluate(potential, ethanol())
    assert_close(after.energy, 7 * before.energy, 1e-14)
    assert_close(after.forces, 7 * before.forces, 1e-13)


def test_energy_is_the_sum_of_atomic_energies():
    prediction = evaluate(make_potential(SO3KRATES), triclinic_box())
    assert prediction.atomic_energy.shape == (12,)
    assert_close(prediction.energy[0], prediction.atomic_energy.sum(), 1e-14)


def test_forces_sum_to_zero():
    for representation in (SAKE, SO3KRATES):
        for system in (ethanol(), triclinic_box()):
            assert evaluate(make_potential(representation), system).forces.sum(dim=0).abs().max() < 1e-12


def test_stress_is_symmetric_and_defined_for_slabs():
    prediction = evaluate(make_potential(SO3KRATES), triclinic_box(pbc=(True, True, False)))
    assert prediction.stress.isfinite().all()
    assert torch.equal(prediction.stress, prediction.stress.transpose(1, 2))


def test_stress_is_undefined_without_volume_or_periodicity():
    potential, box = make_potential(SO3KRATES), triclinic_box(pbc=(False, False, False))
    assert cell_volume(box.cell) > 0
    assert evaluate(potential, box).stress.isnan().all()
    assert evaluate(potential, ethanol()).stress.isnan().all()


def test_requests_and_lists():
    assert make_potential({**SAKE, "cutoff": 4.5}).requests() == [4.5]
    nonlocal_potential = make_potential({**SO3KRATES, "nonlocal_kappa": 1.0})
    lists = lists_for(nonlocal_potential, ethanol())
    assert [one.cutoff for one in lists] == [5.0, float("inf")]


def test_predict_equals_forward():
    potential, system = make_potential(SAKE), triclinic_box()
    one, two = evaluate(potential, system), potential.predict(system, edges_for(potential, system))
    assert torch.equal(one.forces, two.forces)
    assert torch.equal(one.stress, two.stress)


def test_edges_are_not_changed():
    potential, system = make_potential(SAKE), ethanol()
    edges = edges_for(potential, system)
    before = edges[0].vector.clone()
    potential.predict(system, edges)
    assert torch.equal(edges[0].vector, before)
    assert not edges[0].vector.requires_grad


def test_positions_may_require_gradients():
    """A caller's graph is not entered: forces come from edge vectors alone."""
    potential, system = make_potential(SAKE), ethanol()
    tracked = system._replace(positions=system.positions.clone().requires_grad_())
    assert torch.equal(evaluate(potential, tracked).forces, evaluate(potential, system).forces)


def test_energies_of_one_atom_are_its_own():
    potential = make_potential(SO3KRATES)
    energies = [evaluate(potential, atom(z)).energy for z in (1, 6, 7, 8)]
    together = evaluate(potential, structure([1, 6, 7, 8], [[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50]]))
    assert_close(together.atomic_energy, torch.cat(energies), 1e-13)
    assert len({round(float(e), 9) for e in energies}) == 4


def test_forces_without_gradients_are_refused():
    potential = make_potential(SAKE).eval()
    with torch.no_grad(), pytest.raises(GradientsDisabledError, match="no_grad"):
        evaluate(potential, ethanol())


def test_predictions_carry_no_graph_in_evaluation_mode():
    prediction = evaluate(make_potential(SAKE).eval(), triclinic_box())
    assert not any(value.requires_grad for value in prediction)
