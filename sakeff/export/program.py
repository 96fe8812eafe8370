"""The program: what engines call and what is exported, in one code for eager and scripted use."""

import contextlib
import math
from typing import Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn

from sakeff.errors import StructureError
from sakeff.export.checks import check_atoms, check_state
from sakeff.geometry import edge_vectors, overlaps, trim
from sakeff.neighbours import VerletList
from sakeff.types import Edges, Prediction, System, single_system

# A: long enough to save most searches in dynamics, short enough that trimming stays cheap.
DEFAULT_SKIN = 0.5


@contextlib.contextmanager
def gradients_enabled() -> Iterator[None]:
    """For the callers of a program: forces are gradients, whatever has been switched off around them.

    TorchScript cannot do this itself.
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield


class Program(nn.Module):
    """A potential with one Verlet list for each of its requests, on plain tensors.

    Checks its input, lists neighbours, computes edge vectors from the positions given now, trims them to the cutoff and
    calls the potential. Scripts if ``search`` does (``TorchSearch``). The lists are its only state.

    Args:
        potential: put into evaluation mode.
        search: module (system, cutoff) -> Neighbours.
        skin: A, of the Verlet lists.
        charges: total charges (e) the potential was trained for; default neutral.
        spins: numbers of unpaired electrons it was trained for; default none.

    """

    def __init__(
        self,
        potential: nn.Module,
        search: nn.Module,
        skin: float = DEFAULT_SKIN,
        charges: Optional[List[float]] = None,
        spins: Optional[List[float]] = None,
    ) -> None:
        super().__init__()
        self.potential = potential
        self.lists = nn.ModuleList([VerletList(search, cutoff, skin) for cutoff in potential.requests()])
        self.cutoffs: List[float] = list(potential.requests())
        self.charges: List[float] = [0.0] if charges is None else [float(charge) for charge in charges]
        self.spins: List[float] = [0.0] if spins is None else [float(spin) for spin in spins]
        self.eval()

    def forward(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """One structure to its energy and derivatives; everything returned is float64.

        Args:
            numbers: (N,) int64, atomic numbers.
            positions: (N, 3), A.
            cell: (3, 3), A, rows.
            pbc: (3,) bool.
            charge: total charge, e.
            spin: number of unpaired electrons.

        Returns:
            energy () eV, atomic energies (N,) eV, forces (N, 3) eV/A, stress (3, 3) eV/A^3: +dE/dstrain/V, zero for
            open structures and NaN where the cell has no volume.

        Raises StructureError or NeighbourError; a scripted program raises ``torch.jit.Error`` with the same text.

        """
        system = self.checked(numbers, positions, cell, pbc, charge, spin)
        edges = self.edges(system)
        if overlaps(edges):
            raise StructureError(
                "Two atoms overlap (nearer than 0.3 A); check the units (angstrom), the cell and duplicated atoms."
            )
        return self.evaluate(system, edges)

    @torch.jit.export
    def trial(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """As ``forward``, but overlapping atoms have infinite energy, and everything else is NaN.

        For engines that try moves and take them back where the energy is too high: line searches and barostats. A
        trajectory that comes here ends, because NaN forces carry it nowhere.
        """
        system = self.checked(numbers, positions, cell, pbc, charge, spin)
        edges = self.edges(system)
        if not overlaps(edges):
            return self.evaluate(system, edges)
        nothing = torch.full_like(system.positions, float("nan"))
        return torch.full_like(nothing[0, 0], float("inf")), nothing[:, 0], nothing, torch.full_like(cell, float("nan"))

    def checked(
        self, numbers: Tensor, positions: Tensor, cell: Tensor, pbc: Tensor, charge: float, spin: float
    ) -> System:
        """The structure in float64, if it can be evaluated."""
        check_state(charge, spin, self.charges, self.spins)
        exact = positions.detach().to(torch.float64)
        system = single_system(numbers, exact, cell.detach().to(torch.float64), pbc, charge, spin)
        check_atoms(system, self.potential.elements)
        return system

    def edges(self, system: System) -> List[Edges]:
        """The edges of each request, within its cutoff."""
        edges: List[Edges] = []
        for i, neighbours in enumerate(self.lists):
            found = edge_vectors(system, neighbours(system))
            edges.append(found if math.isinf(self.cutoffs[i]) else trim(found, self.cutoffs[i]))
        return edges

    def evaluate(self, system: System, edges: List[Edges]) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        """The prediction as plain tensors."""
        return plain_outputs(self.potential.predict(system, edges), system)


def plain_outputs(prediction: Prediction, system: System) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """The prediction of one structure as a program returns it: float64, and no stress where nothing is periodic."""
    stress = prediction.stress[0].to(torch.float64)
    stress = torch.where(system.pbc.any(), stress, torch.zeros_like(stress))
    return prediction.energy[0], prediction.atomic_energy, prediction.forces.to(torch.float64), stress
