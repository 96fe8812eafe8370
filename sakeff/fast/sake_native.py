"""The step of ``fast.sake`` on edges as a single operator on the CPU; on other devices its torch twin runs.

Import this module only after ``fast.build.load_operators()``: scripting needs the operators to exist.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.fast.sake import EdgeLayer
from sakeff.types import Edges


class NativeEdgeLayer(nn.Module):
    """``EdgeLayer`` as one operator."""

    def __init__(self, twin: EdgeLayer) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, projected: Tensor, displacement: Tensor, edges: Edges, envelope: Tensor) -> List[Tensor]:
        """(N, 2(F + K)), (N, 3), edges and (E,) to (N, H F) and (N, C, 3)."""
        twin = self.twin
        if not projected.is_cpu:
            return twin(projected, displacement, edges, envelope)
        aggregated, combinations = torch.ops.sakeff.edge_layer(
            projected, displacement, edges.vector, envelope, edges.centre, edges.other,
            twin.weights(), twin.sharpness, twin.softening,
        )  # fmt: skip
        return [aggregated, combinations]
