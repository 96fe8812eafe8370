"""Loss and its gradient in the weights as one pure function, so that it can be traced as one graph.

The forces inside the loss are a gradient already. Traced, the two backward passes become plain operators in one graph:
no autograd engine, no Python, and a compiler may fuse what is left.
"""

from typing import Callable, List, NamedTuple

import torch
from torch import Tensor
from torch.func import functional_call

from sakeff.data.store import Batch
from sakeff.potential import Potential
from sakeff.training.loss import EnergyForceLoss, Targets, error_sums


class LossGradient(NamedTuple):
    """What one step needs to know of a batch."""

    loss: Tensor  # ()
    errors: Tensor  # `error_sums`
    gradient: List[Tensor]  # one for each weight


GradientFunction = Callable[[List[Tensor], Batch, Targets], LossGradient]


def make_gradient(potential: Potential, loss: EnergyForceLoss) -> GradientFunction:
    """``(weights, batch, targets) -> LossGradient`` by autograd; the weights are those that require a gradient."""
    names = [name for name, weight in potential.named_parameters() if weight.requires_grad]

    def gradient(weights: List[Tensor], batch: Batch, targets: Targets) -> LossGradient:
        parameters = dict(zip(names, weights, strict=True))
        prediction = functional_call(potential, parameters, (batch.system, batch.neighbours))
        value = loss(prediction, batch.system, batch.labels, targets)
        found = torch.autograd.grad(value, weights, allow_unused=True)
        filled = [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]
        return LossGradient(value.detach(), error_sums(prediction, batch.system, batch.labels), filled)

    return gradient
