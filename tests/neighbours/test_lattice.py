import itertools
import math

import pytest
import torch

from sakeff.errors import NeighbourError
from sakeff.neighbours.lattice import complete_cell, make_lattice, wrap
from sakeff.types import join_systems
from tests.helpers import moved, tensor
from tests.neighbours.cases import SHEARED, TRICLINIC, jumped, jumps, random_structure

ALL_PBC = list(itertools.product([True, False], repeat=3))


@pytest.mark.parametrize("pbc", ALL_PBC)
@pytest.mark.parametrize("open_row", [[0.0] * 3, [math.nan] * 3, SHEARED[0]])
def test_open_rows_become_normal_unit_vectors(pbc, open_row):
    periodic = torch.tensor(pbc)
    cell = tensor([row if p else open_row for row, p in zip(SHEARED, pbc, strict=True)])
    complete = complete_cell(cell, periodic)
    assert torch.equal(complete[periodic], tensor(SHEARED)[periodic])
    added = complete[~periodic]
    torch.testing.assert_close(added @ added.T, torch.eye(len(added), dtype=torch.float64), rtol=0, atol=1e-14)
    torch.testing.assert_close(
        added @ complete[periodic].T, torch.zeros(len(added), int(periodic.sum())).double(), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        ([[0.0] * 3] * 3, [True, True, True]),
        ([[0.0] * 3] * 3, [False, False, True]),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]], [True, True, True]),
        ([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0], [0.0, 0.0, 1.0]], [True, True, False]),
        ([[1.0, 0.0, 0.0], [0.0, math.nan, 0.0], [0.0, 0.0, 1.0]], [True, True, True]),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, math.inf]], [True, True, True]),
    ],
)
def test_a_periodic_cell_without_a_volume_is_refused(cell, pbc):
    with pytest.raises(NeighbourError, match="no volume"):
        complete_cell(tensor(cell), torch.tensor(pbc))


@pytest.mark.parametrize("length", [1e-3, 1e6])
def test_small_and_large_cells_are_no_reason_to_refuse(length):
    cell = length * tensor(TRICLINIC)
    assert torch.equal(complete_cell(cell, torch.tensor([True, True, True])), cell)


@pytest.mark.parametrize("pbc", ALL_PBC)
def test_wrapped_atoms_lie_in_the_cell_and_unwrap_to_where_they_were(pbc):
    system = random_structure(1, 50, TRICLINIC, pbc, spread=9.0, offset=-5.0)
    batch = join_systems([system, random_structure(2, 3, SHEARED, (True, True, True))])
    lattice = make_lattice(batch)
    wrapped, cells = wrap(batch, lattice)
    fractional = torch.einsum("nx,nxk->nk", wrapped, lattice.inverse[batch.batch])
    periodic = batch.pbc[batch.batch]
    assert bool(((fractional > -1e-12) & (fractional < 1 + 1e-12))[periodic].all())
    assert not cells[~periodic].any()
    back = jumped(moved(batch, wrapped), cells)
    torch.testing.assert_close(back.positions, batch.positions, rtol=0, atol=1e-12)


def test_wrapping_undoes_jumps():
    system = random_structure(3, 20, TRICLINIC, (True, True, False))
    lattice = make_lattice(system)
    cells = jumps(4, system, size=1000)
    wrapped, taken_off = wrap(jumped(system, cells), lattice)
    torch.testing.assert_close(wrapped, wrap(system, lattice)[0], rtol=0, atol=1e-9)
    assert torch.equal(taken_off - wrap(system, lattice)[1], cells)
