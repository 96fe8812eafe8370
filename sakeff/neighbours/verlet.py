"""Verlet list: a list with a skin, kept as long as it is complete."""

import math

import torch
from torch import Tensor, nn

from sakeff.errors import NeighbourError
from sakeff.neighbours.lattice import make_lattice, rows_times_cell
from sakeff.types import Neighbours, System


def empty_system() -> System:
    """No structure at all: equal to no system that can be searched."""
    return System(
        numbers=torch.empty(0, dtype=torch.int64),
        positions=torch.empty((0, 3), dtype=torch.float64),
        cell=torch.empty((0, 3, 3), dtype=torch.float64),
        pbc=torch.empty((0, 3), dtype=torch.bool),
        batch=torch.empty(0, dtype=torch.int64),
        charge=torch.empty(0, dtype=torch.float64),
        spin=torch.empty(0, dtype=torch.float64),
    )


def empty_neighbours() -> Neighbours:
    """A list without edges."""
    index = torch.empty(0, dtype=torch.int64)
    return Neighbours(index, index, torch.empty((0, 3), dtype=torch.int64), index, 0.0)


def same_kind(one: System, two: System) -> bool:
    """Whether two systems have as many structures and atoms, on the same device."""
    return (
        one.positions.device == two.positions.device
        and one.numbers.shape[0] == two.numbers.shape[0]
        and one.cell.shape[0] == two.cell.shape[0]
    )


def same_atoms_and_cells(one: System, two: System) -> Tensor:
    """Whether two systems of the same kind differ in positions, charge and spin at most."""
    atoms = (one.numbers == two.numbers).all() & (one.batch == two.batch).all()
    return atoms & (one.pbc == two.pbc).all() & (one.cell == two.cell).all()


def in_float64(system: System) -> System:
    """The system without gradients, in float64."""
    return System(
        numbers=system.numbers.detach(),
        positions=system.positions.detach().to(torch.float64),
        cell=system.cell.detach().to(torch.float64),
        pbc=system.pbc.detach(),
        batch=system.batch.detach(),
        charge=system.charge.detach(),
        spin=system.spin.detach(),
    )


def copied(system: System) -> System:
    """A copy that later changes in place do not reach."""
    return System(
        numbers=system.numbers.clone(),
        positions=system.positions.clone(),
        cell=system.cell.clone(),
        pbc=system.pbc.clone(),
        batch=system.batch.clone(),
        charge=system.charge.clone(),
        spin=system.spin.clone(),
    )


class VerletList(nn.Module):
    """Neighbours complete up to ``cutoff``, searched up to cutoff + skin and reused (Verlet 1967).

    While no atom has moved by more than skin / 2 from its reference position, no pair has come nearer by more than
    the skin, so the list is still complete. Moves by whole lattice vectors do not count: positions may be wrapped, atom
    by atom or molecule by molecule, differently at each call, and shifts are given relative to the positions of the
    call: with R = R_ref + u + n @ cell,  shift = shift_ref + n[centre] - n[other].

    The list is built anew when atoms, batch, periodicity or cell changed at all, and at each call if skin = 0.
    With all pairs (cutoff = inf) moves do not matter. Non-finite positions are never reused as a reference.

    This is the one module with a state. Each search replaces the state as a whole, and only after it succeeded.

    ``search`` is a module (system, cutoff) -> Neighbours such as ``TorchSearch``; ``cutoff`` and ``skin`` are in A,
    and ``cutoff`` may be ``math.inf``.

    Raises NeighbourError for a cutoff or skin out of range, and whatever the search raises.
    """

    reference: System  # as searched, float64
    inverse: Tensor  # (S, 3, 3), columns of open directions are zero
    found: Neighbours  # relative to the reference
    rebuilds: int  # searches since the start or the last reset

    def __init__(self, search: nn.Module, cutoff: float, skin: float) -> None:
        super().__init__()
        if not cutoff > 0.0:
            raise NeighbourError(f"The cutoff must be positive, not {cutoff}; give it in angstrom.")
        if not 0.0 <= skin < math.inf:
            raise NeighbourError(f"The skin must be zero or positive and finite, not {skin}; give it in angstrom.")
        self.search = search
        self.cutoff = float(cutoff)
        self.skin = float(skin)
        self.allowed = math.inf if math.isinf(cutoff) else float(skin) / 2
        self.reset()

    def reset(self) -> None:
        """Forget everything, so that the next call searches."""
        self.reference = empty_system()
        self.inverse = torch.empty((0, 3, 3), dtype=torch.float64)
        self.found = empty_neighbours()
        self.rebuilds = 0

    def forward(self, system: System) -> Neighbours:
        """Edges complete up to ``cutoff``, perhaps with some longer ones."""
        now = in_float64(system)
        if not same_kind(now, self.reference):
            return self._rebuild(now)
        moved = now.positions - self.reference.positions
        cells = self._jumps(moved)
        rest = moved - rows_times_cell(cells, self.reference.cell[self.reference.batch])
        still = self._is_small(rest).all()
        if not bool(still & same_atoms_and_cells(now, self.reference)):
            return self._rebuild(now)
        return self._shifted(cells.to(torch.int64))

    def _is_small(self, displacement: Tensor) -> Tensor:
        # Strictly less: zero skin always searches, and NaN never passes.
        return (displacement * displacement).sum(dim=1) < self.allowed * self.allowed

    def _jumps(self, moved: Tensor) -> Tensor:
        # Whole cells (N, 3) next to each displacement. In a very skewed cell a small displacement may round to a
        # lattice vector that is not the nearest: the rest is then long, which costs a search but never an edge.
        # Atoms that moved a little anyway are not rounded.
        cells = rows_times_cell(moved, self.inverse[self.reference.batch]).round()
        return cells * ~self._is_small(moved).unsqueeze(1)

    def _rebuild(self, now: System) -> Neighbours:
        # The search may raise, so it comes before the first assignment; it sees what is kept, a copy of the caller's
        # tensors, which may change in place.
        reference = copied(now)
        found = self.search(reference, self.cutoff + self.skin)
        inverse = make_lattice(reference).inverse * reference.pbc.unsqueeze(1)
        self.reference = reference
        self.inverse = inverse
        self.found = found
        self.rebuilds += 1
        return self._shifted(torch.zeros_like(reference.positions, dtype=torch.int64))

    def _shifted(self, cells: Tensor) -> Neighbours:
        centre, other = self.found.centre, self.found.other
        shift = self.found.shift + cells[centre] - cells[other]
        return Neighbours(centre, other, shift, self.found.reverse, self.cutoff)
