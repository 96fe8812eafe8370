"""One training step of a forecaster, and its errors on a fixed set."""

from __future__ import annotations

from typing import Callable, Dict, List, NamedTuple, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from sakeff.forecasting.jitter import Jitter
from sakeff.forecasting.model import Forecaster
from sakeff.forecasting.task import Batch, SampleStore
from sakeff.training.compiled import compile_gradient
from sakeff.training.update import WeightUpdate
from sakeff.training.world import SingleProcess


class ForecastErrors:
    """Sums of squared errors of each target, and from them the loss and the named mean squared errors.

    The mean runs over particles and components, as in the published tables.
    """

    def __init__(self, targets: Dict[str, float]) -> None:
        self.names: List[str] = list(targets)
        self.weights = list(targets.values())

    def sums(self, forecast: Tensor, batch: Batch) -> Tensor:
        """(O + 1,): squared errors of each target (N, O, 3), and the number of components."""
        squared = (forecast - batch.changes).square().sum(-1) * batch.weight.unsqueeze(-1)
        return torch.cat([squared.sum(0), 3.0 * batch.weight.sum().unsqueeze(0)])

    def loss(self, sums: Tensor) -> Tensor:
        """Weighted mean over the targets, ()."""
        return (sums[:-1] * sums.new_tensor(self.weights)).sum() / (len(self.weights) * sums[-1])

    def named(self, sums: Tensor) -> Dict[str, float]:
        """{"mse_positions": ...}. Reads the device."""
        means = (sums[:-1] / sums[-1]).tolist()
        return {f"mse_{name}": value for name, value in zip(self.names, means, strict=True)}


class ForecastGradient(NamedTuple):
    """What one step needs to know of a batch."""

    loss: Tensor  # ()
    sums: Tensor  # `ForecastErrors.sums`
    gradient: List[Tensor]  # one for each weight


def make_gradient(module: Forecaster, errors: ForecastErrors) -> Callable[[List[Tensor], Batch], ForecastGradient]:
    """``(weights, batch) -> ForecastGradient`` by autograd."""
    names = [name for name, weight in module.named_parameters() if weight.requires_grad]

    def gradient(weights: List[Tensor], batch: Batch) -> ForecastGradient:
        parameters = dict(zip(names, weights, strict=True))
        forecast = functional_call(module, parameters, (batch.charges, batch.velocities, batch.edges))
        sums = errors.sums(forecast, batch)
        loss = errors.loss(sums)
        found = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        return ForecastGradient(loss.detach(), sums.detach(), list(found))

    return gradient


class ForecastStep:
    """`step(indices)` trains on those systems of `store`; see `sakeff.training.contract.Step`."""

    def __init__(
        self,
        module: Forecaster,
        store: SampleStore,
        batch_size: int,
        errors: ForecastErrors,
        jitter: Jitter,
        update: WeightUpdate,
    ) -> None:
        self.module, self.store, self.batch_size, self.errors = module, store, batch_size, errors
        self.jitter, self.update, self.world = jitter, update, SingleProcess()
        self.weights: List[Tensor] = update.average.weights
        self.gradient = make_gradient(module, errors)
        self.sums = torch.zeros(len(errors.names) + 3, dtype=torch.float64, device=store.device)

    def __call__(self, indices: Tensor) -> None:
        """One update with the systems at `indices` (B,)."""
        found = self.gradient(self.weights, self.jitter(self.store.batch(indices)))
        for weight, gradient in zip(self.weights, found.gradient, strict=True):
            weight.grad = gradient
        self.update()
        self.sums += torch.cat([found.sums, found.loss.unsqueeze(0), torch.ones_like(found.sums[:1])]).to(torch.float64)

    def compile(self, indices: Tensor) -> None:
        """Replace the gradient by its compiled form for batches of this many systems."""
        self.gradient = compile_gradient(self.gradient, self.weights, self.store.batch(indices))

    def table(self, order: np.ndarray) -> np.ndarray:
        """Batches of systems in this order, (batches, batch size)."""
        return self.store.table(order, self.batch_size)

    def metrics(self, sums: Tensor) -> Dict[str, float]:
        """Errors by name from what was added to `sums`, without loss and count."""
        return self.errors.named(sums)

    def state(self) -> Dict[str, Tensor]:
        """Every tensor that a step changes, by name."""
        return {**self.update.state(), "sums": self.sums, "jitter": self.jitter.step}

    def constants(self) -> Dict[str, Tensor]:
        """None."""
        return {}


class ForecastValidator:
    """Loss and errors on a fixed set."""

    def __init__(self, store: SampleStore, batch_size: int, errors: ForecastErrors) -> None:
        self.store, self.errors = store, errors
        self.batches = torch.as_tensor(store.table(np.arange(len(store)), batch_size), device=store.device)
        self.headline = f"mse_{errors.names[0]}"

    @torch.no_grad()
    def __call__(self, module: Forecaster) -> Tuple[float, Dict[str, float]]:
        """Means over the whole set. Reads the device."""
        training = module.training
        module.eval()
        try:
            sums = [self._sums(module, indices) for indices in self.batches]
        finally:
            module.train(training)
        total = torch.stack(sums).sum(0)
        return float(self.errors.loss(total)), self.errors.named(total)

    def _sums(self, module: Forecaster, indices: Tensor) -> Tensor:
        batch = self.store.batch(indices)
        return self.errors.sums(module(batch.charges, batch.velocities, batch.edges), batch).to(torch.float64)
