import numpy as np
import pytest
import torch

from sakeff.training.loss import EnergyForceLoss, Targets, error_sums, huber, per_atom, summarise
from sakeff.types import Labels, Prediction, System
from tests.helpers import random_numbers

BATCH = torch.tensor([0, 0, 0, 1, 1, 2])  # the last structure is padding
ATOMS = [3, 2]
COUNTS = Targets(torch.tensor(2), torch.tensor(2))


def make_case(labelled=(1.0, 1.0)):
    zeros = torch.zeros(3, dtype=torch.float64)
    system = System(BATCH, random_numbers(0, 6, 3), torch.zeros(3, 3, 3), torch.zeros(3, 3), BATCH, zeros, zeros)
    prediction = Prediction(random_numbers(1, 3), random_numbers(2, 6), random_numbers(3, 6, 3), None)
    weights = torch.tensor([*labelled, 0.0], dtype=torch.float64)
    labels = Labels(random_numbers(4, 3), random_numbers(5, 6, 3), weights, (BATCH < 2).to(torch.float64))
    return prediction, system, labels


def errors_of(prediction, labels):
    energy = (prediction.energy - labels.energy)[:2].numpy()
    forces = (prediction.forces - labels.forces).numpy()
    return energy, [forces[:3], forces[3:5]]


def test_eq_35():
    prediction, system, labels = make_case()
    energy, forces = errors_of(prediction, labels)
    expected = [0.1 * e**2 + 0.9 / (3 * len(f)) * (f**2).sum() for e, f in zip(energy, forces, strict=True)]
    got = EnergyForceLoss(0.1, 0.9)(prediction, system, labels, COUNTS)
    assert float(got) == pytest.approx(np.mean(expected), rel=1e-13)


def test_energy_per_atom_and_huber():
    prediction, system, labels = make_case()
    energy, _ = errors_of(prediction, labels)
    got = EnergyForceLoss(1.0, 0.0, scaling=per_atom)(prediction, system, labels, COUNTS)
    assert float(got) == pytest.approx(np.mean((energy / ATOMS) ** 2), rel=1e-13)
    small = torch.tensor([0.002, -0.5])
    torch.testing.assert_close(huber(small), torch.tensor([0.002**2 / 2, 0.01 * (0.5 - 0.005)]))


def test_only_labelled_structures_count():
    prediction, system, labels = make_case(labelled=(0.0, 1.0))
    loss = EnergyForceLoss(1.0, 0.0)
    targets = loss.targets(system, labels)
    assert [int(count) for count in targets] == [1, 2]
    energy, _ = errors_of(prediction, labels)
    assert float(loss(prediction, system, labels, targets)) == pytest.approx(energy[1] ** 2, rel=1e-13)


def test_padding_has_no_gradient():
    prediction, system, labels = make_case()
    forces = prediction.forces.requires_grad_()
    energy = prediction.energy.requires_grad_()
    prediction = Prediction(energy, prediction.atomic_energy, forces, None)
    EnergyForceLoss(0.5, 0.5)(prediction, system, labels, COUNTS).backward()
    assert float(energy.grad[2]) == 0.0
    assert not forces.grad[5].any()
    assert forces.grad[:5].abs().min() > 0


def test_error_sums_add_up_to_the_errors_of_all():
    prediction, system, labels = make_case()
    energy, forces = errors_of(prediction, labels)
    errors = summarise(2 * error_sums(prediction, system, labels))
    flat = np.concatenate(forces).ravel()
    expected = (
        np.abs(energy).mean(),
        np.sqrt((energy**2).mean()),
        np.abs(energy / ATOMS).mean(),
        np.abs(flat).mean(),
        np.sqrt((flat**2).mean()),
    )
    np.testing.assert_allclose(errors, expected, rtol=1e-13)
