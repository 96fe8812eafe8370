"""Energy + force loss (So3krates, eq. 35) and error sums, all kept on the device.

    loss = (1 - beta) mean_s (E_s - E~_s)^2 + beta mean_s 1/(3 N_s) sum_k |F_k - F~_k|^2

The means run over the structures of a batch that carry a label. Sums and counts are kept apart, so that processes that
share a batch add both and obtain the loss of the joined batch.
"""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple

import torch
from torch import Tensor

from sakeff.types import Labels, Prediction, System

Penalty = Callable[[Tensor], Tensor]
Scaling = Callable[[Tensor, Tensor], Tensor]


class Targets(NamedTuple):
    """Number of labelled structures in a batch."""

    energies: Tensor  # ()
    forces: Tensor  # ()


def square(error: Tensor) -> Tensor:
    """error^2, the paper's."""
    return error.square()


def huber(error: Tensor) -> Tensor:
    """error^2 / 2 up to 0.01 (eV or eV/A), linear beyond: outliers weigh less."""
    return torch.nn.functional.huber_loss(error, torch.zeros_like(error), reduction="none", delta=0.01)


def total(error: Tensor, atoms: Tensor) -> Tensor:  # noqa: ARG001
    """Error of the total energy, as in eq. 35."""
    return error


def per_atom(error: Tensor, atoms: Tensor) -> Tensor:
    """Error divided by the number of atoms: structures of different size weigh alike."""
    return error / atoms.clamp(min=1)


PENALTIES: Dict[str, Penalty] = {"square": square, "huber": huber}
SCALINGS: Dict[str, Scaling] = {"total": total, "per_atom": per_atom}


class EnergyForceLoss:
    """`energy` and `forces` are the weights (1 - beta) and beta; `energy = 0` trains on forces alone."""

    def __init__(self, energy: float, forces: float, penalty: Penalty = square, scaling: Scaling = total) -> None:
        self.energy, self.forces, self.penalty, self.scaling = energy, forces, penalty, scaling

    def targets(self, system: System, labels: Labels) -> Targets:
        """How many structures have an energy, and how many have atoms with forces."""
        has_forces = _per_structure(system, labels.force_weight) > 0
        return Targets((labels.energy_weight > 0).sum(), has_forces.sum())

    def __call__(self, prediction: Prediction, system: System, labels: Labels, targets: Targets) -> Tensor:
        """Sum over structures divided by `targets` (of this batch, or of all processes' batches together): ()."""
        atoms = _per_structure(system, torch.ones_like(labels.force_weight))
        energy_error = self.scaling(prediction.energy - labels.energy, atoms).to(labels.forces.dtype)
        energies = labels.energy_weight * self.penalty(energy_error)
        forces = labels.force_weight * self.penalty(prediction.forces - labels.forces).sum(dim=1)
        share = 1.0 / (3.0 * atoms.clamp(min=1))
        forces = forces * share[system.batch]
        return self.energy * energies.sum() / targets.energies.clamp(min=1) + self.forces * forces.sum() / (
            targets.forces.clamp(min=1)
        )


def _per_structure(system: System, values: Tensor) -> Tensor:
    return values.new_zeros(system.cell.shape[0]).index_add(0, system.batch, values)


class Errors(NamedTuple):
    """Mean and root mean square errors; energies also per atom (eV, eV/A)."""

    energy_mae: float
    energy_rmse: float
    energy_mae_per_atom: float
    force_mae: float
    force_rmse: float


SUMS = 7


def error_sums(prediction: Prediction, system: System, labels: Labels) -> Tensor:
    """(7,) float64: |dE|, dE^2, |dE|/N, count of energies; |dF|, dF^2, count of force components. They add up."""
    atoms = _per_structure(system, torch.ones_like(labels.energy[:1]).expand(len(system.batch)))
    weight = (labels.energy_weight > 0).to(torch.float64)
    energy = weight * (prediction.energy - labels.energy).detach()
    mask = (labels.force_weight > 0).to(torch.float64)
    forces = mask[:, None] * (prediction.forces - labels.forces).detach().to(torch.float64)
    return torch.stack(
        [
            energy.abs().sum(),
            energy.square().sum(),
            (energy.abs() / atoms.clamp(min=1)).sum(),
            weight.sum(),
            forces.abs().sum(),
            forces.square().sum(),
            3.0 * mask.sum(),
        ]
    )


def summarise(sums: Tensor) -> Errors:
    """Errors from added-up `error_sums`; NaN where nothing was labelled. Reads the device."""
    e1, e2, e_atom, energies, f1, f2, components = sums.to(torch.float64).cpu()
    values = (e1 / energies, (e2 / energies).sqrt(), e_atom / energies, f1 / components, (f2 / components).sqrt())
    return Errors(*[float(value) for value in values])
