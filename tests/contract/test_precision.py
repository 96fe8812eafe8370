"""Scripted and eager agree; so do float32 and float64; results can be repeated to the last bit."""

import copy

import pytest
import torch

from tests.contract.checks import assert_close
from tests.helpers import ethanol, evaluate, lists_for, triclinic_box, with_elements


def systems_of(case):
    systems = [ethanol()] if "periodic" in case.does_not_apply else [ethanol(), triclinic_box()]
    return [with_elements(system, case.elements) for system in systems]


def test_scripted_equals_eager(case):
    scripted = torch.jit.script(case.potential)
    for system in systems_of(case):
        lists = lists_for(case.potential, system)
        eager, script = case.potential(system, lists), scripted(system, lists)
        assert_close(script.energy, eager.energy, 1e-13)
        assert_close(script.forces, eager.forces, 1e-12)


def test_float32_is_close_to_float64(case):
    single = copy.deepcopy(case.potential).float()
    for system in systems_of(case):
        exact, rounded = evaluate(case.potential, system), evaluate(single, system)
        assert rounded.energy.dtype == torch.float64
        assert rounded.forces.dtype == torch.float32
        assert_close(rounded.forces.double(), exact.forces, 2e-5)


def test_same_bits_twice(case):
    system = systems_of(case)[0]
    first, second = evaluate(case.potential, system), evaluate(case.potential, system)
    assert torch.equal(first.energy, second.energy)
    assert torch.equal(first.forces, second.forces)


def test_prediction_keeps_its_graph_only_in_training(random_potential):
    system = ethanol()
    assert not evaluate(random_potential, system).energy.requires_grad
    random_potential.train()
    try:
        prediction = evaluate(random_potential, system)
    finally:
        random_potential.eval()
    assert prediction.energy.requires_grad
    assert prediction.forces.requires_grad


def test_forward_keeps_no_state(random_potential):
    before = {name: value.clone() for name, value in random_potential.state_dict().items()}
    evaluate(random_potential, ethanol())
    after = random_potential.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("seed", [0, 1])
def test_weights_depend_on_the_seed_alone(seed):
    from tests.contract.architectures import ARCHITECTURES
    from tests.helpers import make_potential

    for architecture in ARCHITECTURES.values():
        one = make_potential(architecture.representation, seed=seed)
        torch.rand(3)
        two = make_potential(architecture.representation, seed=seed)
        other = make_potential(architecture.representation, seed=seed + 1)
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
        assert not torch.equal(one.embedding.vectors.weight, other.embedding.vectors.weight)
