"""Structures of a batch do not see each other, far molecules add up, and atoms alone feel nothing."""

import copy

import pytest
import torch

from sakeff.types import Edges, join_systems
from tests.contract.checks import assert_close
from tests.helpers import (
    atom,
    benzene,
    edges_for,
    ethanol,
    evaluate,
    methane,
    moved,
    structure,
    tensor,
    triclinic_box,
    with_elements,
)


def members(case):
    systems = [ethanol(), atom(), methane(), benzene()]
    if "periodic" not in case.does_not_apply:
        systems.insert(1, triclinic_box())
    return [with_elements(system, case.elements) for system in systems]


def test_batch_equals_singles(case):
    singles = [evaluate(case.potential, system) for system in members(case)]
    batch = evaluate(case.potential, join_systems(members(case)))
    assert_close(batch.energy, torch.cat([one.energy for one in singles]), 1e-12)
    assert_close(batch.atomic_energy, torch.cat([one.atomic_energy for one in singles]), 1e-12)
    assert_close(batch.forces, torch.cat([one.forces for one in singles]), 1e-11)
    stress = torch.cat([one.stress for one in singles])
    assert (batch.stress.isnan() == stress.isnan()).all()
    assert_close(batch.stress.nan_to_num(), stress.nan_to_num(), 1e-11, scale=1.0)


def test_energy_of_one_structure_has_no_gradient_in_another(case):
    system = join_systems(members(case))
    edges = case.potential.as_leaves(edges_for(case.potential, system))
    energies = case.potential.atomic_energies(system, edges)
    felt = [False] * len(edges)
    for place in system.batch.unique():
        energy = energies[system.batch == place].sum()
        gradients = torch.autograd.grad(energy, [one.vector for one in edges], retain_graph=True)
        for k, (one, gradient) in enumerate(zip(edges, gradients, strict=True)):
            elsewhere = system.batch[one.centre] != place
            assert elsewhere.any()
            assert (gradient[elsewhere] == 0).all()
            felt[k] |= bool((gradient[~elsewhere] != 0).any())
    assert all(felt)


@pytest.mark.contract("extensivity")
def test_two_far_copies_have_twice_the_energy(case):
    one = with_elements(ethanol(), case.elements)
    far = tensor([100.0, 0.0, 0.0])
    two = structure(one.numbers.repeat(2), torch.cat([one.positions, one.positions + far]))
    alone, together = evaluate(case.potential, one), evaluate(case.potential, two)
    assert_close(together.energy, 2 * alone.energy, 1e-13)
    assert_close(together.forces, alone.forces.repeat(2, 1), 1e-12)


def test_isolated_atom_feels_nothing(case):
    for z in case.elements:
        prediction = evaluate(case.potential, atom(z))
        assert (prediction.forces == 0).all()
        assert prediction.energy.isfinite().all()


def test_positions_are_not_read(case):
    """Edges alone decide: other positions with the same edges give the same numbers."""
    system = with_elements(ethanol(), case.elements)
    edges = edges_for(case.potential, system)
    before = case.potential.predict(system, edges)
    after = case.potential.predict(moved(system, system.positions * float("nan")), edges)
    assert torch.equal(before.energy, after.energy)
    assert torch.equal(before.forces, after.forces)


def padded(edges, atom_index):
    """Edges of 1000 A from an atom to itself appended, as batches of fixed shape have them."""
    count = len(edges.centre)
    return Edges(
        torch.cat([edges.centre, torch.full((3,), atom_index)]),
        torch.cat([edges.other, torch.full((3,), atom_index)]),
        torch.cat([edges.reverse, torch.arange(count, count + 3)]),
        torch.cat([edges.vector, tensor([[1000.0, 0.0, 0.0]]).to(edges.vector.dtype).expand(3, 3)]),
    )


@pytest.mark.contract("cutoff")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_padding_edges_change_nothing(case, dtype):
    system = with_elements(ethanol(), case.elements)
    edges = edges_for(case.potential, system)
    potential = copy.deepcopy(case.potential).to(dtype)
    plain = potential.predict(system, edges)
    with_padding = potential.predict(system, [padded(one, 4) for one in edges])
    rounding = 1e-12 if dtype == torch.float64 else 1e-5
    assert_close(with_padding.atomic_energy, plain.atomic_energy, rounding)
    assert_close(with_padding.forces, plain.forces, rounding)


def test_coinciding_atoms_in_feature_space(case):
    """Atoms with equal environments, and atoms without neighbours, have distance zero among their features."""
    spread = structure([6, 6, 6], [[0.0, 0.0, 0.0], [30.0, 0.0, 0.0], [0.0, 40.0, 0.0]])
    for system in (spread, benzene()):
        prediction = evaluate(case.potential, with_elements(system, case.elements))
        assert prediction.forces.isfinite().all()
        assert prediction.energy.isfinite().all()
