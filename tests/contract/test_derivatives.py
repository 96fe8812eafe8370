"""Forces and stress are the derivatives of the energy; so are the derivatives of losses on them."""

import pytest
import torch

from tests.contract.checks import assert_close, difference_quotient, numerical_forces, numerical_stress
from tests.helpers import ethanol, evaluate, lists_for, random_numbers, triclinic_box, with_elements

STEP = 5e-4  # A; the fourth-order stencil leaves an error of h^4
STRAIN = 1e-4


def test_forces(case):
    system = with_elements(ethanol(), case.elements)
    every_coordinate = torch.eye(27, dtype=torch.float64).reshape(27, 9, 3)
    forces = evaluate(case.potential, system).forces
    assert_close(forces.flatten(), numerical_forces(case.potential, system, every_coordinate, STEP), 1e-7)


@pytest.mark.contract("periodic")
def test_forces_in_a_box(case):
    """Along random directions that move all atoms."""
    system = with_elements(triclinic_box(), case.elements)
    directions = torch.nn.functional.normalize(random_numbers(9, 3, 36), dim=1).reshape(3, 12, 3)
    forces = evaluate(case.potential, system).forces
    along = (forces * directions).sum(dim=(1, 2))
    found = numerical_forces(case.potential, system, directions, STEP)
    assert_close(along, found, 1e-7, scale=forces.abs().max())


@pytest.mark.contract("periodic")
@pytest.mark.parametrize("pbc", [(True, True, True), (True, True, False)])
def test_stress(case, pbc):
    system = with_elements(triclinic_box(pbc=pbc), case.elements)
    stress = evaluate(case.potential, system).stress[0]
    assert_close(stress, numerical_stress(case.potential, system, STRAIN), 1e-7)


def test_stress_of_an_open_structure_is_undefined(case):
    assert evaluate(case.potential, with_elements(ethanol(), case.elements)).stress.isnan().all()


def force_loss(potential, system, lists, target):
    return ((potential(system, lists).forces - target) ** 2).sum()


def test_double_backward(random_potential):
    """d(force loss)/d(weights) against differences along a random direction in weight space."""
    system, target = ethanol(), random_numbers(8, 9, 3)
    lists = lists_for(random_potential, system)
    parameters = list(random_potential.parameters())
    directions = [random_numbers(k, *p.shape) / p.numel() ** 0.5 for k, p in enumerate(parameters)]
    random_potential.train()
    try:
        exact_loss = force_loss(random_potential, system, lists, target)
        gradients = torch.autograd.grad(exact_loss, parameters, allow_unused=True)
        exact = sum(float((g * d).sum()) for g, d in zip(gradients, directions, strict=True) if g is not None)

        def loss(s):
            with torch.no_grad():
                for p, d in zip(parameters, directions, strict=True):
                    p += s * d
            value = force_loss(random_potential, system, lists, target).detach()
            with torch.no_grad():
                for p, d in zip(parameters, directions, strict=True):
                    p -= s * d
            return value

        found = difference_quotient(loss, 1e-4)
    finally:
        random_potential.eval()
    assert exact == pytest.approx(float(found), rel=1e-6)
