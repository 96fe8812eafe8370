"""Lists of fixed length hold the same edges as all others, and say so when they do not."""

import math

import pytest
import torch

from sakeff.geometry import edge_vectors
from sakeff.neighbours import neighbour_list
from sakeff.neighbours.fixed_shape import FixedShapeEdges, inverse_cell
from tests.helpers import ethanol, random_numbers, structure, tensor
from tests.neighbours.cases import TRICLINIC, random_structure

CUTOFF = 3.0
WIDE = (tensor(TRICLINIC) * 1.6).tolist()
STRUCTURES = {
    "open": ethanol(),
    "box": random_structure(5, 40, (12.0 * torch.eye(3)).tolist(), (True, True, True)),
    "triclinic, unwrapped": random_structure(8, 30, WIDE, (True, True, True), spread=5.0, offset=-2.0),
    "one atom": structure([6], [[0.3, 0.1, 0.2]]),
    "nothing near": structure([6, 1], [[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]),
}


def periodic(system):
    return bool(system.pbc.any())


@pytest.mark.parametrize("scripted", [False, True])
@pytest.mark.parametrize("name", STRUCTURES)
def test_the_slots_hold_all_edges_and_nothing_else_within_the_cutoff(name, scripted):
    system = STRUCTURES[name]
    expected = edge_vectors(system, neighbour_list(system, CUTOFF))
    search = FixedShapeEdges(CUTOFF, expected.centre.shape[0] + 7, periodic(system))
    edges, complete = (torch.jit.script(search) if scripted else search)(system)
    assert bool(complete)
    assert edges.centre.shape[0] == search.capacity
    short = torch.linalg.vector_norm(edges.vector, dim=1) < CUTOFF
    assert torch.equal(edges.centre[short], expected.centre)
    assert torch.equal(edges.other[short], expected.other)
    torch.testing.assert_close(edges.vector[short], expected.vector, atol=1e-12, rtol=0.0)


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_slot_is_in_order_and_has_its_reverse(name):
    system = STRUCTURES[name]
    count = neighbour_list(system, CUTOFF).centre.shape[0]
    edges, _ = FixedShapeEdges(CUTOFF, count + 6, periodic(system))(system)
    index = torch.arange(count + 6)
    assert bool((edges.centre.diff() >= 0).all())
    assert bool((edges.reverse != index).all())
    assert torch.equal(edges.reverse[edges.reverse], index)
    torch.testing.assert_close(edges.vector[edges.reverse], -edges.vector, atol=1e-12, rtol=0.0)


def test_all_pairs_have_an_infinite_cutoff():
    system = ethanol()
    edges, complete = FixedShapeEdges(math.inf, 72, periodic=False)(system)
    expected = neighbour_list(system, math.inf)
    assert bool(complete)
    assert torch.equal(edges.other, expected.other)
    assert torch.equal(edges.reverse, expected.reverse)


def test_what_is_missing_is_said():
    system = ethanol()
    count = neighbour_list(system, CUTOFF).centre.shape[0]
    assert bool(FixedShapeEdges(CUTOFF, count, periodic=False)(system).complete)
    assert not bool(FixedShapeEdges(CUTOFF, count - 2, periodic=False)(system).complete)
    lost = system._replace(positions=system.positions.clone().fill_diagonal_(math.nan))
    assert not bool(FixedShapeEdges(CUTOFF, count, periodic=False)(lost).complete)


def test_narrow_cells_are_not_complete():
    """At 5.9 A an atom has two images of a neighbour within 3 A."""
    for width, fits in [(6.1, True), (5.9, False)]:
        system = random_structure(5, 4, (torch.diag(tensor([12.0, width, 12.0]))).tolist(), (True, True, True))
        assert bool(FixedShapeEdges(CUTOFF, 100, periodic=True)(system).complete) is fits


def test_the_inverse_of_a_cell():
    cell = random_numbers(3, 3, 3)
    torch.testing.assert_close(inverse_cell(cell), torch.linalg.inv(cell))
