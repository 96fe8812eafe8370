"""A program on a GPU: one CUDA graph for each structure, instead of hundreds of small kernels launched one by one."""

import logging
from typing import Callable, List, NamedTuple, Tuple

import torch
from torch import Tensor, nn

from sakeff.errors import ConfigError, StructureError
from sakeff.export.agreement import require_agreement
from sakeff.export.fixed_shape import FixedShapeProgram, capacities_for
from sakeff.export.program import Program
from sakeff.types import single_system

logger = logging.getLogger(__name__)

Outputs = Tuple[Tensor, Tensor, Tensor, Tensor]

ROOM = 1.3  # for more edges than there are at first
WARM_UP_CALLS = 3


class Kind(NamedTuple):
    """What a graph is made for; anything else needs another one."""

    numbers: Tensor
    pbc: Tensor
    charge: float
    spin: float

    def matches(self, other: "Kind") -> bool:
        """Whether both are the same."""
        same = torch.equal(self.numbers, other.numbers) and torch.equal(self.pbc, other.pbc)
        return same and (self.charge, self.spin) == (other.charge, other.spin)


class ReplayedProgram:
    """Calls like ``program`` and gives its results, by replaying a ``FixedShapeProgram`` of the same potential.

    The second call in a row for one kind of structure makes the graph. A call that the graph answers with NaN goes to
    ``program``: it says what is wrong with the input, or gives the result where only the edges did not fit, and a graph
    with more room follows. Structures for which there are no lists of fixed length, or no graph, always go there. On
    the CPU the fixed-shape program is called instead of replayed, which is of use for tests alone.
    """

    def __init__(self, program: Program, dtype: str) -> None:
        self.program, self.dtype = program, dtype
        self.captures = 0  # graphs made so far
        self._kind: Kind | None = None
        self._replay: Callable[[], Outputs] | None = None
        self._possible = True  # to make a graph of this kind

    def __call__(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Outputs:
        """As ``Program.forward``, with its errors."""
        kind = Kind(numbers, pbc, charge, spin)
        known = self._kind is not None and self._kind.matches(kind)
        if known and self._replay is not None:
            self._positions.copy_(positions)
            self._cell.copy_(cell)
            outputs = self._replay()
            if bool(torch.isfinite(outputs[0])):
                energy, atomic, forces, stress = [output.clone() for output in outputs]
                return energy, atomic, forces, stress
        result: Outputs = self.program(numbers, positions, cell, pbc, charge, spin)
        if not known:
            self._kind, self._replay, self._possible = Kind(numbers.clone(), pbc.clone(), charge, spin), None, True
        elif self._possible and bool(torch.isfinite(result[0])):
            self._replay = self._graph(kind, positions, cell, result)
            self._possible = self._replay is not None
        return result

    def _graph(self, kind: Kind, positions: Tensor, cell: Tensor, expected: Outputs) -> Callable[[], Outputs] | None:
        """A graph with room for the edges here, or None where there is none.

        Raises AgreementError if it differs from what the program found here.
        """
        try:
            system = single_system(kind.numbers, positions, cell, kind.pbc)
            slots = capacities_for(self.program.cutoffs, system, ROOM)
        except StructureError:
            return None
        self._positions, self._cell = positions.detach().clone(), cell.detach().clone()
        inputs = [kind.numbers.clone(), self._positions, self._cell, kind.pbc.clone()]
        periodic = bool(kind.pbc.all())
        fixed = FixedShapeProgram(self.program.potential, slots, periodic, self.program.charges, self.program.spins)
        try:
            replay = captured(fixed, inputs, kind.charge, kind.spin)
        except RuntimeError as error:
            logger.warning("No CUDA graph for this structure, which stays right but slower: %s", error)
            return None
        require_agreement(replay(), expected, self.dtype)
        self.captures += 1
        return replay


def replayed(program: nn.Module, dtype: str) -> ReplayedProgram:
    """The program with graphs. Raises ConfigError for an exported file."""
    if not isinstance(program, Program):
        raise ConfigError("An exported file has lists of its own; use cuda_graphs with a model that is not exported.")
    return ReplayedProgram(program, dtype)


def captured(program: nn.Module, inputs: List[Tensor], charge: float, spin: float) -> Callable[[], Outputs]:
    """A function that evaluates the program on what is in ``inputs`` at that moment; its outputs are overwritten."""

    def call() -> Outputs:
        outputs: Outputs = program(*inputs, charge, spin)
        return outputs

    if not inputs[0].is_cuda:
        return call
    with torch.cuda.device(inputs[0].device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_CALLS):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = call()

    def replay() -> Outputs:
        graph.replay()
        return outputs

    return replay
