"""Who shares a training step: one process, or several under torchrun that add their sums."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import Iterator, List

import torch
import torch.distributed as dist

# Its functions hold the default group as a default argument from the moment of their import. Imported later, by the
# optimisers, they would keep the group and its threads alive after `destroy_process_group`, and a thread that frees a
# tensor while the interpreter ends aborts the process.
import torch.distributed.nn
from torch import Tensor


class SingleProcess:
    """One process: sums are already complete."""

    rank, size, ask_every = 0, 1, 1

    def any(self, wish: bool) -> bool:
        """Its own wish."""
        return wish

    def add(self, tensors: List[Tensor]) -> None:
        """Nothing to add."""


class ProcessGroup:
    """All processes of the default group of torch.distributed."""

    ask_every = 20  # steps between two questions to all processes

    def __init__(self, device: torch.device) -> None:
        self.rank, self.size, self._device = dist.get_rank(), dist.get_world_size(), device

    def any(self, wish: bool) -> bool:
        """Whether any process wishes it; all must ask."""
        votes = torch.tensor(float(wish), device=self._device)
        dist.all_reduce(votes)
        return bool(votes > 0)

    def add(self, tensors: List[Tensor]) -> None:
        """Replace each tensor by its sum over the processes, in place and in one message per data type."""
        for dtype in sorted({t.dtype for t in tensors}, key=str):
            group = [t for t in tensors if t.dtype == dtype]
            flat = torch.cat([t.reshape(-1) for t in group])
            dist.all_reduce(flat)
            for tensor, total in zip(group, flat.split([t.numel() for t in group]), strict=True):
                tensor.copy_(total.view_as(tensor))


World = SingleProcess | ProcessGroup


@contextmanager
def joined_world(device: torch.device) -> Iterator[World]:
    """The world that `torchrun` has prepared in the environment, or this process alone.

    Uses NCCL on CUDA, where each process takes the card of its local rank, and gloo on the CPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SingleProcess()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(device)
    finally:
        dist.destroy_process_group()
