"""Cells for neighbour lists: completed where a direction is open, inverted, and used to wrap positions.

All functions work in float64 and never carry gradients: a list is a discrete thing.
"""

from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from sakeff.errors import NeighbourError
from sakeff.neighbours import limits
from sakeff.types import System


class Lattice(NamedTuple):
    """Cells fit for fractional coordinates, for S structures."""

    cell: Tensor  # (S, 3, 3) float64, rows; an open direction is a unit vector normal to the periodic ones
    inverse: Tensor  # (S, 3, 3) float64; positions @ inverse are fractional coordinates
    pbc: Tensor  # (S, 3) bool


def complete_cell(cell: Tensor, pbc: Tensor) -> Tensor:
    """The cell (3, 3) with every open row replaced by a unit vector normal to all periodic rows.

    Raises NeighbourError where the periodic rows span no length, area or volume.
    """
    periodic = cell[pbc]
    complete = cell.clone()
    if periodic.shape[0] < 3:
        # The last rows of the right singular vectors span what the periodic rows leave open.
        basis = torch.linalg.svd(periodic)[2] if periodic.shape[0] > 0 else torch.eye(3).to(cell)
        complete[~pbc] = basis[periodic.shape[0] :]
    unit = complete / torch.linalg.vector_norm(complete, dim=1, keepdim=True)
    if not bool(torch.linalg.det(unit).abs() > limits.FLATTEST):
        raise NeighbourError(
            "The cell has no volume along its periodic directions; give a cell whose periodic rows are"
            " finite and independent, or set pbc to False."
        )
    return complete


def make_lattice(system: System) -> Lattice:
    """Complete and invert the cell of every structure."""
    cells: List[Tensor] = [torch.empty((0, 3, 3), dtype=torch.float64, device=system.cell.device)]
    for s in range(system.cell.shape[0]):
        cell = system.cell[s].detach().to(torch.float64)
        cells.append(complete_cell(cell, system.pbc[s]).unsqueeze(0))
    complete = torch.cat(cells)
    return Lattice(complete, torch.linalg.inv(complete), system.pbc)


def rows_times_cell(rows: Tensor, cell: Tensor) -> Tensor:
    """Rows (M, 3) times one cell (3, 3) or one per row (M, 3, 3).

    Written out, so that each row's rounding never depends on how many rows there are.
    """
    x, y, z = rows[:, 0:1], rows[:, 1:2], rows[:, 2:3]
    return x * cell[..., 0, :] + y * cell[..., 1, :] + z * cell[..., 2, :]


def check_coordinates(coordinates: Tensor) -> None:
    """Raise NeighbourError where a coordinate, fractional or in A, is not finite or too large to be resolved."""
    if not bool((coordinates.abs() < limits.FARTHEST).all()):
        raise NeighbourError(
            "A position is not finite or lies more than 1e9 cells (or angstrom) away;"
            " go back to the last good frame and use a smaller time step."
        )


def wrap(system: System, lattice: Lattice) -> Tuple[Tensor, Tensor]:
    """Positions (N, 3) moved into the cell along periodic directions, and the whole cells (N, 3) taken off.

    Raises NeighbourError where a position is not finite, or too far away to be resolved.
    """
    positions = system.positions.detach().to(torch.float64)
    fractional = rows_times_cell(positions, lattice.inverse[system.batch])
    check_coordinates(fractional)
    cells = fractional.floor() * lattice.pbc[system.batch]
    wrapped = positions - rows_times_cell(cells, lattice.cell[system.batch])
    return wrapped, cells.to(torch.int64)


def squared_distances(positions: Tensor, centre: Tensor, other: Tensor, offset: Tensor) -> Tensor:
    """|R[other] + offset - R[centre]|^2 (E,), rounded alike for an edge and its opposite."""
    vector = positions[other] - positions[centre] + offset
    square = vector * vector
    return square[:, 0] + square[:, 1] + square[:, 2]
