import math

import numpy as np
import pytest
import torch
from ase.io import read
from ase.neighborlist import primitive_neighbor_list

from sakeff.errors import NeighbourError
from sakeff.neighbours import cell_list, limits
from sakeff.types import System, join_systems
from tests.helpers import moved, shared_folder, structure
from tests.neighbours.cases import (
    CASES,
    TRICLINIC,
    assert_contract,
    assert_same,
    brute_force,
    jumped,
    jumps,
    rows_of,
    vectors_of,
)

ON_A_SHELL = "simple cubic, cutoff on a shell"  # where rounding decides, every implementation rounds its own way
TYPICAL = [name for name in CASES if name != ON_A_SHELL]


@pytest.mark.parametrize("name", TYPICAL)
def test_agrees_with_ase(name):
    system, cutoff = CASES[name]
    neighbours = cell_list(system, cutoff)
    assert_contract(neighbours)
    if system.batch.shape[0] == 0:
        assert neighbours.centre.shape[0] == 0
        return
    pbc = system.pbc[0].numpy()
    cell = system.cell[0].numpy() * pbc[:, None]  # ASE completes rows that are zero, and trusts all others
    found = primitive_neighbor_list("ijS", pbc, cell, system.positions.numpy(), cutoff)
    rows = np.column_stack(found).tolist()
    assert [tuple(row) for row in rows_of(neighbours).tolist()] == sorted(tuple(row) for row in rows)


@pytest.mark.parametrize("name", [name for name in TYPICAL if CASES[name][0].batch.shape[0] < 100])
def test_agrees_with_brute_force(name):
    system, cutoff = CASES[name]
    neighbours = cell_list(system, cutoff)
    assert [tuple(row) for row in rows_of(neighbours).tolist()] == brute_force(system, cutoff)


@pytest.mark.parametrize("name", CASES)
def test_all_edges_are_near_and_opposite_vectors_cancel(name):
    system, cutoff = CASES[name]
    neighbours = cell_list(system, cutoff)
    assert_contract(neighbours)
    vectors = vectors_of(system, neighbours)
    assert bool((vectors.norm(dim=1) <= cutoff + 1e-9).all())
    torch.testing.assert_close(vectors[neighbours.reverse], -vectors, rtol=0, atol=1e-9)


def test_at_exactly_the_cutoff_both_directions_share_one_fate():
    """Rounding makes some of the six neighbours of a simple cubic crystal longer than the lattice constant."""
    system, cutoff = CASES[ON_A_SHELL]
    neighbours = cell_list(system, cutoff)
    assert_contract(neighbours)
    lengths = vectors_of(system, cell_list(system, cutoff * 1.01)).norm(dim=1)
    assert lengths.shape[0] == 27 * 6
    assert bool((lengths > cutoff).any())
    assert neighbours.centre.shape[0] < 27 * 6


def test_atoms_at_the_same_place_are_listed_with_distance_zero():
    for name in ("same place", "same place, open"):
        system, cutoff = CASES[name]
        neighbours = cell_list(system, cutoff)
        zero = vectors_of(system, neighbours).norm(dim=1) == 0
        assert rows_of(neighbours)[zero].tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_atoms_at_the_same_place_in_different_cells_are_listed():
    here = torch.full((1, 3), 0.7, dtype=torch.float64)
    there = here + torch.tensor(TRICLINIC, dtype=torch.float64)[1]
    system = structure([1, 1], torch.cat([here, there]), TRICLINIC, [True, True, True])
    neighbours = cell_list(system, 1.0)
    assert rows_of(neighbours).tolist() == [[0, 1, 0, -1, 0], [1, 0, 0, 1, 0]]


@pytest.mark.parametrize("name", ["triclinic", "unreduced", "slab, middle open", "own images only", "wire"])
def test_jumps_of_single_atoms_change_shifts_alone(name):
    system, cutoff = CASES[name]
    before = cell_list(system, cutoff)
    cells = jumps(1, system, size=50)
    after = cell_list(jumped(system, cells), cutoff)
    assert torch.equal(after.shift, before.shift + cells[before.centre] - cells[before.other])
    assert_same(after, before._replace(shift=after.shift))


def test_batch_is_the_concatenation_of_its_structures():
    cutoff = 5.0
    systems = [system for system, _ in CASES.values() if system.batch.shape[0] < 100]
    joint = cell_list(join_systems(systems), cutoff)
    assert_contract(joint)
    rows, reverse, atoms, edges = [], [], 0, 0
    for system in systems:
        single = cell_list(system, cutoff)
        rows.append(rows_of(single) + torch.tensor([atoms, atoms, 0, 0, 0]))
        reverse.append(single.reverse + edges)
        atoms, edges = atoms + system.batch.shape[0], edges + single.centre.shape[0]
    assert torch.equal(rows_of(joint), torch.cat(rows))
    assert torch.equal(joint.reverse, torch.cat(reverse))


@pytest.mark.parametrize("name", ["triclinic", "slab, third row zero", "large open"])
def test_float32_positions_give_the_list_of_the_same_numbers_in_float64(name):
    system, cutoff = CASES[name]
    single = System(*[field.float() if field.is_floating_point() else field for field in system])
    double = System(*[field.double() if field.is_floating_point() else field for field in single])
    assert_same(cell_list(single, cutoff), cell_list(double, cutoff))


def test_memory_is_bounded_by_chunks_of_atoms(monkeypatch):
    """There is no capacity: candidates are only taken in more chunks, and none is lost."""
    system, cutoff = CASES["cubic"]
    whole = cell_list(system, cutoff)
    monkeypatch.setattr(limits, "CANDIDATES", 1)
    assert_same(cell_list(system, cutoff), whole)


def test_a_crowd_in_one_bin_does_not_overflow():
    system = structure([1] * 150, 0.1 * torch.rand(150, 3, generator=torch.Generator().manual_seed(1)))
    assert cell_list(system, 5.0).centre.shape[0] == 150 * 149


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1e300])
@pytest.mark.parametrize("name", ["triclinic", "large open"])
def test_bad_positions_are_refused(name, bad):
    system, cutoff = CASES[name]
    positions = system.positions.clone()
    positions[3, 1] = bad
    with pytest.raises(NeighbourError, match="not finite"):
        cell_list(moved(system, positions), cutoff)


def test_zero_volume_is_refused():
    with pytest.raises(NeighbourError, match="no volume"):
        cell_list(structure([1], [[0.0] * 3], torch.zeros(3, 3), [True, True, True]), 5.0)


def test_no_gradients():
    system, cutoff = CASES["triclinic"]
    neighbours = cell_list(system._replace(positions=system.positions.clone().requires_grad_()), cutoff)
    assert not any(field.requires_grad for field in neighbours[:4])


def water(repeats):
    path = shared_folder() / "data" / "structures" / "water_64.xyz"
    if not path.exists():
        pytest.skip("needs the shared folder with water_64.xyz")
    atoms = read(path).repeat(repeats)
    return structure(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def test_water_box_has_the_neighbours_that_its_density_asks_for():
    system = water((1, 1, 1))
    neighbours = cell_list(system, 5.0)
    assert_contract(neighbours)
    assert [tuple(row) for row in rows_of(neighbours).tolist()] == brute_force(system, 5.0)
    sphere = 4 / 3 * math.pi * 5.0**3 * 192 / 12.4**3
    assert neighbours.centre.shape[0] / 192 == pytest.approx(sphere, rel=0.05)


def test_copies_of_a_box_have_copies_of_its_neighbours():
    small = cell_list(water((1, 1, 1)), 6.0)
    large = cell_list(water((2, 2, 2)), 6.0)
    assert large.centre.shape[0] == 8 * small.centre.shape[0]
