"""One training step: gather a batch, loss, gradients, clip, optimiser, average. Nothing in it reads the device."""

from __future__ import annotations

from typing import Dict, List, Tuple

import torch
from torch import Tensor

from sakeff.data.padding import Capacity
from sakeff.data.store import Batch, FrameStore
from sakeff.potential import Potential
from sakeff.training.ema import WeightAverage
from sakeff.training.gradients import compile_gradient, make_gradient
from sakeff.training.loss import SUMS, EnergyForceLoss, Targets
from sakeff.training.world import World

CLIP_EPSILON = 1e-6


class TrainStep:
    """`step(indices)` trains on those frames of `store` and adds loss and errors to `sums`.

    `sums` (9,) float64: `error_sums`, then loss and number of steps. The optimiser is one of torch's with a tensor as
    learning rate, so that a schedule can change it in place.
    """

    def __init__(
        self,
        potential: Potential,
        store: FrameStore,
        capacity: Capacity,
        loss: EnergyForceLoss,
        optimizer: torch.optim.Optimizer,
        clip: float,
        average: WeightAverage,
        world: World,
    ) -> None:
        self.potential, self.store, self.capacity, self.loss = potential, store, capacity, loss
        self.optimizer, self.clip, self.average, self.world = optimizer, clip, average, world
        self.weights: List[Tensor] = average.weights
        self.gradient = make_gradient(potential, loss)
        self.sums = torch.zeros(SUMS + 2, dtype=torch.float64, device=store.device)
        _materialise(optimizer)

    def __call__(self, indices: Tensor) -> None:
        """One update with the frames at `indices` (B,); see `FrameStore.batch`."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.accumulate_gradients(indices)
        clip_gradients([w.grad for w in self.weights if w.grad is not None], self.clip)
        self.optimizer.step()
        self.average.update()
        self.sums[SUMS:] += torch.stack([loss.to(torch.float64), torch.ones_like(loss, dtype=torch.float64)])

    def accumulate_gradients(self, indices: Tensor) -> Tensor:
        """Loss of the joined batch of all processes, (); its gradients are left in the weights."""
        batch, targets = self._inputs(indices)
        value = self.gradient(self.weights, batch, targets)
        self.world.add([*value.gradient, value.errors, value.loss])
        for weight, gradient in zip(self.weights, value.gradient, strict=True):
            weight.grad = gradient
        self.sums[:SUMS] += value.errors
        return value.loss

    def compile(self, indices: Tensor) -> None:
        """Replace the gradient by its compiled form for batches of this many frames."""
        self.gradient = compile_gradient(self.gradient, self.weights, *self._inputs(indices))

    def _inputs(self, indices: Tensor) -> Tuple[Batch, Targets]:
        batch = self.store.batch(indices, self.capacity)
        targets = self.loss.targets(batch.system, batch.labels)
        self.world.add(list(targets))
        return batch, Targets(*targets)

    def state(self) -> Dict[str, Tensor]:
        """Every tensor that a step changes, by name. Writing into them restores a state; none is ever replaced."""
        tensors = {f"average.{name}": value for name, value in self.average.state().items()}
        for name, weight in zip(self.average.names, self.weights, strict=True):
            tensors[f"weights.{name}"] = weight.detach()
            tensors.update({f"optimizer.{key}.{name}": value for key, value in self.optimizer.state[weight].items()})
        return {**tensors, "sums": self.sums}


def clip_gradients(gradients: List[Tensor], limit: float) -> None:
    """Scale all gradients by ``min(1, limit / norm)`` with their joint norm, in place and without reading it."""
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (limit / (norm + CLIP_EPSILON)).clamp(max=1.0))


def _materialise(optimizer: torch.optim.Optimizer) -> None:
    """Make the optimiser create its state now, at step zero, so that it can be captured, saved and restored alike."""
    if optimizer.state:
        return
    rates = [(group["lr"], group["lr"].clone()) for group in optimizer.param_groups]
    for rate, _ in rates:
        rate.zero_()
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for state in optimizer.state.values():
        state["step"].zero_()
    for rate, value in rates:
        rate.copy_(value)
