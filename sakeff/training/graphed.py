"""A training step as one CUDA graph: hundreds of small kernels are launched by a single call."""

from __future__ import annotations

import torch
from torch import Tensor

from sakeff.training.contract import Step

WARM_UP_STEPS = 3


class GraphedStep:
    """Captures `step` and replays it: `graphed(indices)` does what `step(indices)` does.

    Shapes are fixed by the step's capacity and the number of indices. The capture needs warm-up steps; whatever they
    change is put back.
    """

    def __init__(self, step: Step, indices: Tensor) -> None:
        self._indices = indices.clone()
        before = {name: value.clone() for name, value in step.state().items()}
        self._graph = torch.cuda.CUDAGraph()
        _warm_up(step, self._indices)
        with torch.cuda.graph(self._graph):
            step(self._indices)
        for name, value in step.state().items():
            value.copy_(before[name])

    def __call__(self, indices: Tensor) -> None:
        """One update with the frames at `indices`."""
        self._indices.copy_(indices)
        self._graph.replay()


def _warm_up(step: Step, indices: Tensor) -> None:
    """On a side stream, so that lazily made workspaces and autograd's streams do not end up in the graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP_STEPS):
            step(indices)
    torch.cuda.current_stream().wait_stream(stream)


def fastest_step(step: Step, indices: Tensor) -> Step | GraphedStep:
    """The step as it is on the CPU, captured on CUDA."""
    return GraphedStep(step, indices) if indices.is_cuda else step
