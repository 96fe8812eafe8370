import math

import pytest
import torch

from sakeff.errors import NeighbourError
from sakeff.neighbours import all_pairs, cell_list, pairs_within
from sakeff.types import join_systems
from tests.helpers import dimer, ethanol, moved, structure
from tests.neighbours.cases import CASES, assert_contract, assert_same, brute_force, rows_of

OPEN = [name for name, (system, _) in CASES.items() if not system.pbc.any()]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_all_pairs_are_all_pairs(count):
    neighbours = all_pairs(structure([1] * count, torch.zeros(count, 3)))
    assert_contract(neighbours)
    expected = [[i, j, 0, 0, 0] for i in range(count) for j in range(count) if i != j]
    assert rows_of(neighbours).tolist() == expected
    assert neighbours.cutoff == math.inf


def test_pairs_stay_within_their_structure():
    nothing = structure([], torch.empty(0, 3))
    atom = structure([1], torch.zeros(1, 3))
    batch = join_systems([dimer(), atom, nothing, ethanol(), nothing, dimer()])
    neighbours = all_pairs(batch)
    assert_contract(neighbours)
    assert torch.equal(batch.batch[neighbours.centre], batch.batch[neighbours.other])
    assert neighbours.centre.shape[0] == 2 + 0 + 0 + 9 * 8 + 0 + 2


@pytest.mark.parametrize("search", [all_pairs, lambda system: pairs_within(system, 5.0)])
def test_periodic_structures_are_refused(search):
    wire = structure([1], torch.zeros(1, 3), torch.eye(3), [False, True, False])
    with pytest.raises(NeighbourError, match="open structures"):
        search(join_systems([dimer(), wire]))


@pytest.mark.parametrize("name", OPEN)
def test_pairs_within_agree_with_brute_force_and_cell_list(name):
    system, cutoff = CASES[name]
    neighbours = pairs_within(system, cutoff)
    assert_contract(neighbours)
    assert neighbours.cutoff == cutoff
    assert_same(neighbours, cell_list(system, cutoff))
    if system.batch.shape[0] < 100:
        assert [tuple(row) for row in rows_of(neighbours).tolist()] == brute_force(system, cutoff)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e300])
def test_bad_positions_are_refused(bad):
    positions = ethanol().positions.clone()
    positions[3, 1] = bad
    with pytest.raises(NeighbourError, match="not finite"):
        pairs_within(moved(ethanol(), positions), 5.0)


def test_no_gradients():
    positions = ethanol().positions.requires_grad_()
    neighbours = pairs_within(moved(ethanol(), positions), 2.0)
    assert not any(field.requires_grad for field in neighbours[:4])
