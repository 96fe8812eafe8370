"""The steps of ``fast.so3krates`` as single operators on the CPU; on other devices their torch twins run.

Import this module only after ``fast.build.load_operators()``: scripting needs the operators to exist.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.fast.so3krates import PairAttention, PairGeometry, Pairs


class NativePairGeometry(nn.Module):
    """``PairGeometry`` as one operator."""

    def __init__(self, twin: PairGeometry) -> None:
        super().__init__()
        self.twin = twin
        self.degrees: List[int] = twin.degrees

    def forward(self, vector: Tensor) -> List[Tensor]:
        """(P, 3) to (P,) and (P, M)."""
        if not vector.is_cpu:
            return self.twin(vector)
        distance, harmonics = torch.ops.sakeff.pair_geometry(vector, self.degrees)
        return [distance, harmonics]


class NativePairAttention(nn.Module):
    """``PairAttention`` as one operator."""

    def __init__(self, twin: PairAttention) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, projected: Tensor, sphc: Tensor, pairs: Pairs) -> List[Tensor]:
        """(N, 5F) and (N, M) to the increments (N, F) and (N, M)."""
        twin = self.twin
        if not sphc.is_cpu:
            return twin(projected, sphc, pairs)
        features, moved = torch.ops.sakeff.pair_attention(
            projected, sphc, pairs.distance, pairs.envelope, pairs.harmonics, pairs.centre, pairs.other,
            twin.table.nodes, twin.hidden_weight, twin.hidden_bias, twin.output_weight,
            twin.degrees, twin.heads, twin.table.spacing, twin.norms.softening,
        )  # fmt: skip
        return [features, moved]
