"""The program with lists of fixed length, which a CUDA graph can replay."""

import math
from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn

from sakeff.errors import StructureError
from sakeff.export.checks import check_state
from sakeff.export.program import plain_outputs
from sakeff.geometry import CLOSEST
from sakeff.neighbours import neighbour_list
from sakeff.neighbours.fixed_shape import FixedShapeEdges
from sakeff.types import Edges, System, single_system

# All pairs of more atoms take more time and memory than a list.
MOST_ATOMS = 2000


class FixedShapeProgram(nn.Module):
    """A potential on plain tensors like ``Program``, but for structures of one size and periodicity.

    Every tensor has the same shape at every call, no list is kept between calls, and nothing is raised that depends on
    a value: what ``Program`` refuses, and edges that do not fit, give NaN in every output. Overlapping atoms have
    infinite energy and NaN forces, as in ``Program.trial``. Whoever replays this looks for NaN and asks for more room.

    Args:
        potential: put into evaluation mode.
        capacities: slots for the edges of each request, see ``capacities_for``.
        periodic: along all directions, or none.
        charges: total charges (e) the potential was trained for; default neutral.
        spins: numbers of unpaired electrons it was trained for; default none.

    """

    def __init__(
        self,
        potential: nn.Module,
        capacities: List[int],
        periodic: bool,
        charges: Optional[List[float]] = None,
        spins: Optional[List[float]] = None,
    ) -> None:
        super().__init__()
        self.potential = potential
        requests = list(potential.requests())
        self.lists = nn.ModuleList(
            [FixedShapeEdges(cutoff, slots, periodic) for cutoff, slots in zip(requests, capacities, strict=True)]
        )
        self.periodic = periodic
        self.closest = CLOSEST
        self.charges: List[float] = [0.0] if charges is None else [float(charge) for charge in charges]
        self.spins: List[float] = [0.0] if spins is None else [float(spin) for spin in spins]
        self.eval()

    def forward(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """As ``Program.forward``, with NaN in place of errors."""
        return self.trial(numbers, positions, cell, pbc, charge, spin)

    @torch.jit.export
    def trial(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """As ``Program.trial``, with NaN in place of errors."""
        check_state(charge, spin, self.charges, self.spins)
        exact = positions.detach().to(torch.float64)
        system = single_system(numbers, exact, cell.detach().to(torch.float64), pbc, charge, spin)
        valid = (numbers.unsqueeze(1) == self.potential.elements.unsqueeze(0)).any(1).all()
        valid = valid & (pbc == self.periodic).all()
        edges: List[Edges] = []
        for one in self.lists:
            found = one(system)
            edges.append(found.edges)
            valid = valid & found.complete
        apart = (edges[0].vector * edges[0].vector).sum(dim=1).min() >= self.closest * self.closest
        energy, atomic, forces, stress = plain_outputs(self.potential.predict(system, edges), system)
        nothing = torch.full_like(energy, math.nan)
        infinite = torch.full_like(energy, math.inf)
        energy = torch.where(valid, torch.where(apart, energy, infinite), nothing)
        valid = valid & apart
        return (
            energy,
            torch.where(valid, atomic, nothing),
            torch.where(valid, forces, nothing),
            torch.where(valid, stress, nothing),
        )


def capacities_for(requests: List[float], system: System, room: float) -> List[int]:
    """Slots for the edges of one structure in each request: ``room`` times those that there are now.

    At least as if each atom had two neighbours, never more than all pairs. Raises StructureError for what has no list
    of fixed length: too many atoms for all pairs, a lonely atom, cells that are periodic in some directions only or
    less than two cutoffs wide.
    """
    n_atoms = system.numbers.shape[0]
    if not 2 <= n_atoms <= MOST_ATOMS:
        raise StructureError(
            f"Lists of fixed length are made from all pairs of 2 to {MOST_ATOMS} atoms, not of {n_atoms}; use the usual"
            " list here."
        )
    capacities = []
    for cutoff in requests:
        check_width(system, cutoff)
        count = max(neighbour_list(system, cutoff).centre.shape[0], 2 * n_atoms)
        capacities.append(min(math.ceil(room * count), n_atoms * (n_atoms - 1)))
    return capacities


def check_width(system: System, cutoff: float) -> None:
    """Raise StructureError unless each atom sees at most one image of each other atom."""
    pbc = system.pbc[0]
    if not bool(pbc.any()):
        return
    cell = system.cell[0].to(torch.float64)
    normals = torch.linalg.cross(cell.roll(-1, 0), cell.roll(-2, 0))
    widths = (cell * normals).sum(1).abs() / torch.linalg.vector_norm(normals, dim=1)
    if not bool(pbc.all()) or not bool((widths >= 2.0 * cutoff).all()):
        raise StructureError(
            f"Lists of fixed length need an open structure, or a cell that is periodic along all directions and at "
            f"least {2.0 * cutoff:g} A wide; use the usual list here."
        )
