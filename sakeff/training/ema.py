"""Exponential moving average of the weights, updated on the device without reading it.

`torch.optim.swa_utils.AveragedModel` asks the device for its counter in every update, which a CUDA graph cannot hold.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Dict, Iterator, List

import torch
from torch import Tensor, nn


class WeightAverage:
    """shadow <- shadow + (1 - d) (weights - shadow), with d = min(decay, (1 + n) / (10 + n)) at update n.

    The growing d forgets the random start soon. `decay = 0` follows the weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.names = [name for name, p in module.named_parameters() if p.requires_grad]
        self.weights: List[Tensor] = [p for p in module.parameters() if p.requires_grad]
        self.shadow = [p.detach().clone() for p in self.weights]
        self.updates = torch.zeros((), dtype=torch.float32, device=self.weights[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """One update; safe inside a CUDA graph."""
        step = (9.0 / (10.0 + self.updates)).clamp(min=1.0 - self.decay, max=1.0).to(self.shadow[0].dtype)
        difference = torch._foreach_sub([w.detach() for w in self.weights], self.shadow)
        torch._foreach_mul_(difference, step)
        torch._foreach_add_(self.shadow, difference)
        self.updates += 1.0

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the module has the averaged weights (in the same storage, so captured graphs stay valid)."""
        live = [w.detach().clone() for w in self.weights]
        self._write(self.shadow)
        try:
            yield
        finally:
            self._write(live)

    def state(self) -> Dict[str, Tensor]:
        """Tensors that describe the average, by name; writing into them restores it."""
        return {**dict(zip(self.names, self.shadow, strict=True)), "updates": self.updates}

    @torch.no_grad()
    def _write(self, values: List[Tensor]) -> None:
        torch._foreach_copy_([w.detach() for w in self.weights], values)
