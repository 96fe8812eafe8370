"""The steps of ``fast.so3krates`` as single operators on the CPU; on other devices their torch twins run.

Import this module only after ``fast.build.load_operators()``: scripting needs the operators to exist.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.fast.matrices import both_ways, frozen, network_tensors, padded
from sakeff.fast.so3krates import FastInteraction, PairAttention, PairGeometry, Pairs


class NativePairGeometry(nn.Module):
    """``PairGeometry`` as one operator."""

    def __init__(self, twin: PairGeometry) -> None:
        super().__init__()
        self.twin = twin
        self.coefficients: List[float] = twin.envelope.coefficients
        self.cutoff: float = twin.envelope.cutoff

    def forward(self, vector: Tensor, centre: Tensor, other: Tensor, n_atoms: int) -> List[Tensor]:
        """(P, 3) to distances (P,), envelopes (P,), harmonics (P, M) and SPHC (N, M)."""
        twin = self.twin
        if not vector.is_cpu:
            return twin(vector, centre, other, n_atoms)
        distance, envelope, harmonics, sphc = torch.ops.sakeff.pair_geometry(
            vector, centre, other, n_atoms, twin.degrees, self.cutoff, self.coefficients, twin.scale
        )
        return [distance, envelope, harmonics, sphc]


class NativePairAttention(nn.Module):
    """``PairAttention`` as one operator."""

    def __init__(self, twin: PairAttention) -> None:
        super().__init__()
        self.twin = twin
        self.weights = frozen(attention_tensors(twin))

    def forward(self, scalars: Tensor, sphc: Tensor, pairs: Pairs) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values."""
        twin = self.twin
        if not sphc.is_cpu:
            return twin(scalars, sphc, pairs)
        scalars, sphc = torch.ops.sakeff.pair_attention(
            scalars, sphc, pairs.distance, pairs.envelope, pairs.harmonics, pairs.centre, pairs.other,
            list(self.weights), twin.degrees, twin.heads, twin.table.spacing, twin.norms.softening,
        )  # fmt: skip
        return [scalars, sphc]


class NativeInteraction(nn.Module):
    """``FastInteraction`` as one operator."""

    def __init__(self, twin: FastInteraction, degrees: List[int]) -> None:
        super().__init__()
        self.twin = twin
        self.degrees = degrees
        self.softening: float = twin.increments.norms.softening
        self.weights = frozen(interaction_tensors(twin))

    def forward(self, scalars: Tensor, sphc: Tensor) -> List[Tensor]:
        """Features (N, F) and SPHC (N, M) to their next values."""
        if not sphc.is_cpu:
            return self.twin(scalars, sphc)
        scalars, sphc = torch.ops.sakeff.atomwise_interaction(
            scalars, sphc, list(self.weights), self.degrees, self.softening
        )
        return [scalars, sphc]


def attention_tensors(twin: PairAttention) -> List[Tensor]:
    """What native/so3krates.h, AttentionWeights, reads."""
    nodes, degrees = twin.table.nodes, len(twin.degrees)
    table = padded(nodes.view(nodes.shape[0], 4, 2, twin.width)).view(nodes.shape[0], 4, -1)
    size = twin.output_weight.shape[2]
    hidden = [padded(half) for half in twin.hidden_weight.view(2, size, degrees).transpose(1, 2)]
    hidden_bias = [padded(half) for half in twin.hidden_bias.view(2, size)]
    outputs = [matrix for weight in twin.output_weight for matrix in both_ways(weight)]
    to_hidden = torch.cat(hidden, dim=1)
    return [table, *both_ways(twin.projection), to_hidden, padded(to_hidden.t()), torch.cat(hidden_bias), *outputs]


def interaction_tensors(twin: FastInteraction) -> List[Tensor]:
    """What native/interaction.h, InteractionWeights, reads; the coupling without its zeros."""
    interaction = twin.increments
    size = interaction.coupling.size
    coupling = interaction.coupling.matrix.view(size, size, size)
    index = torch.nonzero(coupling)
    values = coupling[index[:, 0], index[:, 1], index[:, 2]]
    return [*network_tensors(interaction.network), interaction.coupled_scale.weight, values, index]
