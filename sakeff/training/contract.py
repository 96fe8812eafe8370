"""What the loop asks of the things it runs; nothing in it knows what is trained."""

from __future__ import annotations

from typing import Any, Dict, Protocol, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from sakeff.training.update import WeightUpdate
from sakeff.training.world import World


class Store(Protocol):
    """Samples on a device."""

    @property
    def device(self) -> torch.device:
        """Where they are."""

    def __len__(self) -> int:
        """How many."""


class Step(Protocol):
    """One update of `module` with the samples at `indices` of `store`."""

    update: WeightUpdate
    sums: Tensor  # whatever `metrics` needs added up, then the loss and the number of steps

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    @property
    def store(self) -> Store:
        """The training set."""

    @property
    def world(self) -> World:
        """The processes that share a step."""

    def __call__(self, indices: Tensor) -> None:
        """One update."""

    def compile(self, indices: Tensor) -> None:
        """Make updates with this many samples faster."""

    def table(self, order: np.ndarray) -> np.ndarray:
        """Batches of samples in this order, (batches, samples); free slots hold the number of samples."""

    def metrics(self, sums: Tensor) -> Dict[str, float]:
        """Errors by name from `sums` without its last two."""

    def state(self) -> Dict[str, Tensor]:
        """Every tensor that an update changes."""

    def constants(self) -> Dict[str, Tensor]:
        """What else a resumed run needs."""


class Validation(Protocol):
    """Loss and errors by name on a fixed set; a progress bar shows the error named `headline`."""

    @property
    def headline(self) -> str:
        """A key of the errors."""

    def __call__(self, module: Any, /) -> Tuple[float, Dict[str, float]]:
        """In evaluation mode; the mode is put back."""
