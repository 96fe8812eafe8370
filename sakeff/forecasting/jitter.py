"""Noise on what is known of the training systems: a model that cannot tell a system from its neighbours learns the
smooth part of the dynamics, not each outcome of a chaotic encounter by heart.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sakeff.forecasting.task import Batch
from sakeff.types import Edges

ROWS = 1 << 18  # of the table: hundreds of steps before a row returns, then for another system


class Jitter:
    """`jitter(batch)` moves positions and velocities by normal noise of standard deviation `size`; targets stay.

    The noise is read from a table drawn once, at a place that moves on with every call. So it follows from the seed
    and the number of calls, `step`, and neither resuming a run nor a CUDA graph changes it.
    """

    def __init__(self, size: float, seed: int, device: torch.device, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(seed)
        table = size * torch.randn(ROWS, 2, 3, generator=generator, dtype=torch.float64)
        self._table = table.to(device=device, dtype=dtype)
        self.step = torch.zeros((), dtype=torch.int64, device=device)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with other edge vectors and velocities."""
        particles = len(batch.charges)
        rows = (torch.arange(particles, device=self.step.device) + self.step * particles) % ROWS
        self.step += 1
        moved, kicked = self._table[rows].unbind(1)
        return batch._replace(velocities=batch.velocities + kicked, edges=_moved(batch.edges, moved))


def _moved(edges: Edges, shift: Tensor) -> Edges:
    """Edges after every particle has moved by its shift (N, 3)."""
    return edges._replace(vector=edges.vector + shift[edges.other] - shift[edges.centre])
