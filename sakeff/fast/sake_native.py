"""The steps of ``fast.sake`` as single operators on the CPU; on other devices their torch twins run.

Import this module only after ``fast.build.load_operators()``: scripting needs the operators to exist.
"""

from typing import List

import torch
from torch import Tensor, nn

from sakeff.fast.matrices import both_ways, frozen, network_tensors, padded
from sakeff.fast.sake import AtomLayer, EdgeEnvelope, EdgeLayer
from sakeff.nn.cutoffs import PolynomialEnvelope
from sakeff.representations.sake import KineticUpdate, SpatialAttention, SquaredNorm, State
from sakeff.types import Edges


class NativeEdgeLayer(nn.Module):
    """``EdgeLayer`` as one operator."""

    def __init__(self, twin: EdgeLayer) -> None:
        super().__init__()
        self.twin = twin
        self.weights = frozen(edge_tensors(twin))

    def forward(self, scalars: Tensor, displacement: Tensor, edges: Edges, envelope: Tensor) -> List[Tensor]:
        """(N, F), (N, 3), edges and (E,) to (N, H F) and (N, C, 3)."""
        twin = self.twin
        if not scalars.is_cpu:
            return twin(scalars, displacement, edges, envelope)
        aggregated, combinations = torch.ops.sakeff.edge_layer(
            scalars, displacement, edges.vector, envelope, edges.centre, edges.other,
            list(self.weights), twin.sharpness, twin.softening,
        )  # fmt: skip
        return [aggregated, combinations]


class NativeAtomLayer(nn.Module):
    """``AtomLayer`` as one operator."""

    def __init__(self, twin: AtomLayer) -> None:
        super().__init__()
        self.twin = twin
        self.weights = frozen(atom_tensors(twin))

    @staticmethod
    def supports(twin: AtomLayer) -> bool:
        """Whether a layer has the default parts."""
        spatial = twin.spatial
        default = isinstance(spatial, SpatialAttention) and isinstance(spatial.norm, SquaredNorm)
        return default and isinstance(twin.update, KineticUpdate)

    def forward(self, state: State, aggregated: Tensor, combinations: Tensor) -> State:
        """(N, H F) and (N, C, 3) with the state."""
        if not aggregated.is_cpu:
            return self.twin(state, aggregated, combinations)
        scalars, displacement, velocity = torch.ops.sakeff.atom_layer(
            state.scalars, state.displacement, state.velocity, aggregated, combinations,
            list(self.weights),
        )  # fmt: skip
        return State(scalars, displacement, velocity)


class NativeEdgeEnvelope(nn.Module):
    """``EdgeEnvelope`` as one operator."""

    def __init__(self, twin: EdgeEnvelope) -> None:
        super().__init__()
        self.twin = twin
        self.coefficients: List[float] = twin.envelope.coefficients
        self.cutoff: float = twin.envelope.cutoff

    @staticmethod
    def supports(twin: EdgeEnvelope) -> bool:
        """Whether it is the polynomial one."""
        return isinstance(twin.envelope, PolynomialEnvelope)

    def forward(self, vector: Tensor) -> Tensor:
        """(E, 3) to (E,)."""
        if not vector.is_cpu:
            return self.twin(vector)
        return torch.ops.sakeff.edge_envelope(vector, self.cutoff, self.coefficients)


def edge_tensors(twin: EdgeLayer) -> List[Tensor]:
    """What native/sake.h, EdgeWeights, reads."""
    return [
        *both_ways(twin.projection.weight), padded(twin.projection.bias), twin.centres, twin.distance,
        *both_ways(twin.filter), *both_ways(twin.output), padded(twin.output_bias), *both_ways(twin.score),
        *both_ways(twin.coefficients),
    ]  # fmt: skip


def atom_tensors(twin: AtomLayer) -> List[Tensor]:
    """What native/sake_atoms.h, AtomWeights, reads."""
    networks = [twin.spatial.network, twin.node, twin.update.scale]
    tensors = [tensor for network in networks for tensor in network_tensors(network)]
    return [*tensors, twin.update.mixing.weight[0]]
