"""Linear-scaling cell list for any mix of open and periodic directions.

Atoms are binned by fractional coordinates: along a periodic direction the cell is divided, along an open one the
bounding box. A bin is at least one cutoff wide unless the cell itself is thinner; then the search simply visits more
than one image of it. The thickness of a skewed cell is the distance between its lattice planes, 1 / |column of the
inverse|, so unreduced cells and cutoffs longer than the cell need no special case.
"""

from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from sakeff.neighbours import limits
from sakeff.neighbours.all_pairs import starts
from sakeff.neighbours.lattice import Lattice, make_lattice, rows_times_cell, squared_distances, wrap
from sakeff.neighbours.order import mirror
from sakeff.types import Neighbours, System


class Bins(NamedTuple):
    """Atoms of one structure, sorted by bin; bins are numbered, never stored, so empty space costs nothing."""

    home: Tensor  # (n, 3) int64, bin of each atom
    grid: Tensor  # (3,) int64, bins along each direction
    sorted_number: Tensor  # (n,) int64, bin numbers in ascending order
    atom: Tensor  # (n,) int64, atom of each sorted number
    stencil: Tensor  # (M, 3) int64, half of the bin displacements to visit; row 0 is the bin itself


HalfList = Tuple[Tensor, Tensor, Tensor]  # centre, other, shift of edges, each in one direction only


def bin_number(index: Tensor, count: Tensor) -> Tensor:
    """The number of each bin index (..., 3)."""
    return (index[..., 0] * count[1] + index[..., 1]) * count[2] + index[..., 2]


def half_stencil(span: Tensor) -> Tensor:
    """The zero displacement and one of each pair of opposite displacements up to ``span`` (3,) bins."""
    ranges = [torch.arange(-int(n), int(n) + 1, device=span.device) for n in span]
    displacements = torch.cartesian_prod(ranges[0], ranges[1], ranges[2])
    return displacements[displacements.shape[0] // 2 :]


def make_bins(positions: Tensor, inverse: Tensor, pbc: Tensor, cutoff: float) -> Bins:
    """Bin the wrapped positions (n, 3), n > 0, of one structure."""
    reach = cutoff * limits.MARGIN
    fractional = rows_times_cell(positions, inverse)
    low = fractional.amin(dim=0)
    extent = torch.where(pbc, torch.ones_like(low), fractional.amax(dim=0) - low)
    thickness = extent / torch.linalg.vector_norm(inverse, dim=0)
    count = (thickness / reach).floor().clamp(1, limits.MOST_BINS)
    span = (reach * count / thickness).ceil()
    span = torch.where(pbc, span, torch.minimum(span, count - 1)).to(torch.int64)
    scaled = (fractional - torch.where(pbc, torch.zeros_like(low), low)) / extent.clamp(min=1e-12) * count
    index = torch.minimum(scaled.floor().clamp(min=0), count - 1).to(torch.int64)
    number, atom = torch.sort(bin_number(index, count.to(torch.int64)))
    return Bins(index, count.to(torch.int64), number, atom, half_stencil(span))


def candidates(bins: Bins, atoms: Tensor, pbc: Tensor) -> HalfList:
    """Every undirected edge of ``atoms`` (n,) to the atoms of the visited bins."""
    target = bins.home[atoms].unsqueeze(1) + bins.stencil
    image = torch.div(target, bins.grid, rounding_mode="floor")
    visit = ((image == 0) | pbc).all(dim=2)
    row_centre, displacement = torch.where(visit)
    image = image[visit]
    number = bin_number(target[visit] - image * bins.grid, bins.grid)
    first = torch.searchsorted(bins.sorted_number, number)
    occupancy = torch.searchsorted(bins.sorted_number, number, right=True) - first
    row = torch.repeat_interleave(torch.arange(first.shape[0], device=first.device), occupancy)
    place = torch.arange(row.shape[0], device=row.device) - starts(occupancy)[row]
    centre, other = atoms[row_centre][row], bins.atom[first[row] + place]
    once = (displacement[row] > 0) | (centre < other)  # inside one bin both directions are found
    return centre[once], other[once], image[row[once]]


def near(half: HalfList, positions: Tensor, cell: Tensor, cutoff: float) -> HalfList:
    """The edges of the half list that are not longer than ``cutoff``."""
    centre, other, shift = half
    offset = rows_times_cell(shift.to(positions.dtype), cell)
    keep = squared_distances(positions, centre, other, offset) <= cutoff * cutoff
    return centre[keep], other[keep], shift[keep]


def half_list(positions: Tensor, cell: Tensor, inverse: Tensor, pbc: Tensor, cutoff: float) -> HalfList:
    """All undirected edges of one structure with wrapped positions (n, 3), n > 0."""
    bins = make_bins(positions, inverse, pbc, cutoff)
    crowd = int(torch.unique_consecutive(bins.sorted_number, return_counts=True)[1].max())
    chunk = max(1, limits.CANDIDATES // (bins.stencil.shape[0] * crowd))
    atoms = torch.arange(positions.shape[0], device=positions.device)
    parts = [near(candidates(bins, some, pbc), positions, cell, cutoff) for some in torch.split(atoms, chunk)]
    return (
        torch.cat([part[0] for part in parts]),
        torch.cat([part[1] for part in parts]),
        torch.cat([part[2] for part in parts]),
    )


def assemble(halves: List[HalfList], cells: Tensor, cutoff: float) -> Neighbours:
    """Join half lists of wrapped atoms into sorted edges of the atoms as given.

    ``cells`` (N, 3) were taken off by wrapping, R = W + cells @ cell: shifts change by cells[centre] - cells[other].
    """
    empty = torch.empty(0, dtype=torch.int64, device=cells.device)
    centre = torch.cat([empty] + [half[0] for half in halves])
    other = torch.cat([empty] + [half[1] for half in halves])
    shift = torch.cat([cells[:0]] + [half[2] for half in halves])
    return mirror(centre, other, shift + cells[centre] - cells[other], cutoff)


def cell_list(system: System, cutoff: float) -> Neighbours:
    """All edges up to ``cutoff`` (A), images included, in time linear in the number of atoms.

    Raises NeighbourError for non-finite positions and cells without a volume.
    """
    lattice: Lattice = make_lattice(system)
    positions, cells = wrap(system, lattice)
    halves: List[HalfList] = []
    first = 0
    sizes: List[int] = torch.bincount(system.batch, minlength=system.cell.shape[0]).tolist()
    for s, size in enumerate(sizes):
        if size > 0:
            of_structure = positions[first : first + size]
            half = half_list(of_structure, lattice.cell[s], lattice.inverse[s], system.pbc[s], cutoff)
            halves.append((half[0] + first, half[1] + first, half[2]))
        first += size
    return assemble(halves, cells, cutoff)
