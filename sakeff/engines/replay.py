"""A program on a GPU: one CUDA graph for each structure, instead of hundreds of small kernels launched one by one."""

from typing import Callable, List, NamedTuple, Tuple

import torch
from torch import Tensor, nn

from sakeff.errors import StructureError
from sakeff.export.agreement import require_agreement
from sakeff.export.fixed_shape import FixedShapeProgram, capacities_for
from sakeff.export.program import Program
from sakeff.types import single_system

Outputs = Tuple[Tensor, Tensor, Tensor, Tensor]

# Room for more edges than there are at first, and for how many atoms all pairs are still cheap.
ROOM = 1.3
MOST_ATOMS = 2000
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

    The first call of each kind of structure, and every call that the graph answers with NaN, goes to ``program``: it
    says what is wrong with the input, or gives the result where only the edges did not fit, and a graph with more room
    follows. Structures for which there are no lists of fixed length always go there. On the CPU the fixed-shape
    program is called instead of replayed, which is of use for tests alone.
    """

    def __init__(self, program: Program, dtype: str) -> None:
        self.program, self.dtype = program, dtype
        self.captures = 0  # graphs made so far
        self._kind: Kind | None = None
        self._replay: Callable[[], Outputs] | None = None

    def __call__(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Outputs:
        """As ``Program.forward``, with its errors."""
        kind = Kind(numbers, pbc, charge, spin)
        if self._kind is not None and self._kind.matches(kind):
            if self._replay is None:
                return self.program(numbers, positions, cell, pbc, charge, spin)
            self._positions.copy_(positions)
            self._cell.copy_(cell)
            outputs = self._replay()
            if bool(torch.isfinite(outputs[0])):
                energy, atomic, forces, stress = [output.clone() for output in outputs]
                return energy, atomic, forces, stress
        result: Outputs = self.program(numbers, positions, cell, pbc, charge, spin)
        self._prepare(kind, positions, cell, result)
        return result

    def _prepare(self, kind: Kind, positions: Tensor, cell: Tensor, expected: Outputs) -> None:
        """A graph with room for the edges here, compared with what the program found here. Raises AgreementError."""
        self._kind, self._replay = Kind(kind.numbers.clone(), kind.pbc.clone(), kind.charge, kind.spin), None
        self._positions, self._cell = positions.detach().clone(), cell.detach().clone()
        if kind.numbers.shape[0] > MOST_ATOMS:
            return
        try:
            slots = capacities_for(self.program.cutoffs, single_system(kind.numbers, positions, cell, kind.pbc), ROOM)
        except StructureError:
            return
        periodic = bool(kind.pbc.all())
        fixed = FixedShapeProgram(self.program.potential, slots, periodic, self.program.charges, self.program.spins)
        replay = captured(
            fixed, [self._kind.numbers, self._positions, self._cell, self._kind.pbc], kind.charge, kind.spin
        )
        require_agreement(replay(), expected, self.dtype)
        self._replay = replay
        self.captures += 1


def captured(program: nn.Module, inputs: List[Tensor], charge: float, spin: float) -> Callable[[], Outputs]:
    """A function that evaluates the program on what is in ``inputs`` at that moment; its outputs are overwritten."""

    def call() -> Outputs:
        outputs: Outputs = program(*inputs, charge, spin)
        return outputs

    if not inputs[0].is_cuda:
        return call
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
