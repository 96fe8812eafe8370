"""One training step: gather a batch, loss, gradients, update. Nothing in it reads the device."""

from __future__ import annotations

from typing import Dict, List, Tuple

import numpy as np
import torch
from torch import Tensor

from sakeff.data.padding import Capacity, pack
from sakeff.data.store import Batch, FrameStore
from sakeff.potential import Potential
from sakeff.training.compiled import compile_gradient
from sakeff.training.evaluate import named_metrics
from sakeff.training.gradients import make_gradient
from sakeff.training.loss import SUMS, EnergyForceLoss, Targets, summarise
from sakeff.training.update import WeightUpdate
from sakeff.training.world import World


class TrainStep:
    """`step(indices)` trains on those frames of `store` and adds loss and errors to `sums`.

    `sums` (9,) float64: `error_sums`, then loss and number of steps.
    """

    def __init__(
        self,
        potential: Potential,
        store: FrameStore,
        capacity: Capacity,
        loss: EnergyForceLoss,
        update: WeightUpdate,
        world: World,
    ) -> None:
        self.module, self.store, self.capacity, self.loss = potential, store, capacity, loss
        self.update, self.world = update, world
        self.weights: List[Tensor] = update.average.weights
        self.gradient = make_gradient(potential, loss)
        self.sums = torch.zeros(SUMS + 2, dtype=torch.float64, device=store.device)

    def __call__(self, indices: Tensor) -> None:
        """One update with the frames at `indices` (B,); see `FrameStore.batch`."""
        self.update.optimizer.zero_grad(set_to_none=True)
        loss = self.accumulate_gradients(indices)
        self.update()
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
        """Replace the gradient by its compiled form, for batches of this many frames."""
        self.gradient = compile_gradient(self.gradient, self.weights, *self._inputs(indices))

    def _inputs(self, indices: Tensor) -> Tuple[Batch, Targets]:
        batch = self.store.batch(indices, self.capacity)
        targets = self.loss.targets(batch.system, batch.labels)
        self.world.add(list(targets))
        return batch, Targets(*targets)

    def state(self) -> Dict[str, Tensor]:
        """Every tensor that a step changes, by name. Writing into them restores a state; none is ever replaced."""
        return {**self.update.state(), "sums": self.sums}

    def constants(self) -> Dict[str, Tensor]:
        """What else a resumed run needs: the reference energies."""
        return {f"reference.{name}": value for name, value in self.module.reference.named_buffers()}

    def table(self, order: np.ndarray) -> np.ndarray:
        """Batches of frames in this order, (batches, structures)."""
        return pack(order, self.store.sizes, self.capacity)

    def metrics(self, sums: Tensor) -> Dict[str, float]:
        """Errors by name from what was added to `sums`, without loss and count."""
        return named_metrics(summarise(sums))
