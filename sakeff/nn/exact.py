"""Constants that must not lose digits when a module changes precision."""

from typing import Callable

from torch import Tensor, nn


class ExactBuffers(nn.Module):
    """A module whose float64 buffers follow it to another device, but stay float64 and keep every digit.

    ``module.float().double()`` would otherwise round coupling coefficients and reference energies to float32.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ExactBuffers":
        exact = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, value in exact.items():
            setattr(self, name, value.to(getattr(self, name).device))
        return self
