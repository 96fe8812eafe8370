"""What follows the gradients in a training step: clip, optimiser, average. Nothing in it reads the device."""

from __future__ import annotations

from typing import Dict, List

import torch
from torch import Tensor

from sakeff.training.ema import WeightAverage

CLIP_EPSILON = 1e-6


class WeightUpdate:
    """`update()` changes the weights of `average` by the gradients that are in them.

    The optimiser is one of torch's with a tensor as learning rate, so that a schedule can change it in place.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, clip: float, average: WeightAverage) -> None:
        self.optimizer, self.clip, self.average = optimizer, clip, average
        _materialise(optimizer)

    def __call__(self) -> None:
        """One update with the gradients that are in the weights."""
        clip_gradients([w.grad for w in self.average.weights if w.grad is not None], self.clip)
        self.optimizer.step()
        self.average.update()

    def state(self) -> Dict[str, Tensor]:
        """Weights, their average and the optimiser's memory, by name."""
        tensors = {f"average.{name}": value for name, value in self.average.state().items()}
        for name, weight in zip(self.average.names, self.average.weights, strict=True):
            tensors[f"weights.{name}"] = weight.detach()
            tensors.update({f"optimizer.{key}.{name}": value for key, value in self.optimizer.state[weight].items()})
        return tensors


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
        for tensor in state.values():
            tensor.zero_()  # the memory too: decay that is not decoupled counts as a gradient
    for rate, value in rates:
        rate.copy_(value)
