import math

import pytest
import torch

from sakeff.errors import NeighbourError
from sakeff.neighbours import all_pairs, neighbour_list
from sakeff.neighbours.vesin_list import VesinSearch, vesin_list
from sakeff.types import join_systems
from tests.helpers import ethanol, moved
from tests.neighbours.cases import CASES, assert_contract, assert_same


@pytest.mark.parametrize("name", CASES)
def test_identical_to_the_torch_list(name):
    system, cutoff = CASES[name]
    neighbours = VesinSearch()(system, cutoff)
    assert_contract(neighbours)
    assert_same(neighbours, neighbour_list(system, cutoff))
    assert neighbours.cutoff == cutoff


@pytest.mark.parametrize("cutoff", [1.5, 4.0, 7.5])
def test_identical_for_a_mixed_batch(cutoff):
    batch = join_systems([system for system, _ in CASES.values()])
    assert_same(vesin_list(batch, cutoff), neighbour_list(batch, cutoff))


def test_infinite_cutoff_means_all_pairs():
    assert_same(vesin_list(ethanol(), math.inf), all_pairs(ethanol()))


def test_refuses_what_the_torch_list_refuses():
    with pytest.raises(NeighbourError, match="cutoff must be positive"):
        vesin_list(ethanol(), 0.0)
    with pytest.raises(NeighbourError, match="not finite"):
        vesin_list(moved(ethanol(), torch.full((9, 3), math.nan).double()), 5.0)
