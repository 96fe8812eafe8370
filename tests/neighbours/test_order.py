import math

import pytest
import torch

from sakeff.neighbours import mirror, restrict
from sakeff.neighbours.order import lexicographic_key
from tests.neighbours.cases import assert_contract, rows_of


def random_half_list(seed, size, n_atoms, largest_shift):
    """Distinct undirected edges in random order."""
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(0, n_atoms, (size, 2), generator=generator).sort(dim=1).values
    shift = torch.randint(-largest_shift, largest_shift + 1, (size, 3), generator=generator)
    shift[ends[:, 0] == ends[:, 1], 0] = largest_shift + 1  # an atom and its image, in one direction
    rows = torch.unique(torch.cat([ends, shift], dim=1), dim=0)
    rows = rows[torch.randperm(rows.shape[0], generator=generator)]
    return rows[:, 0], rows[:, 1], rows[:, 2:]


@pytest.mark.parametrize("largest_shift", [0, 1, 1000, 10**6, 10**12, 10**18])
def test_mirror_is_sorted_with_opposites_for_any_size_of_shift(largest_shift):
    centre, other, shift = random_half_list(1, 300, 20, largest_shift)
    neighbours = mirror(centre, other, shift, 5.0)
    assert neighbours.centre.shape[0] == 2 * centre.shape[0]
    assert neighbours.cutoff == 5.0
    assert_contract(neighbours)


def test_mirror_does_not_depend_on_order_and_direction():
    centre, other, shift = random_half_list(2, 100, 10, 2)
    flip = torch.arange(centre.shape[0]) % 3 == 0
    order = torch.randperm(centre.shape[0], generator=torch.Generator().manual_seed(0))
    turned = mirror(
        torch.where(flip, other, centre)[order],
        torch.where(flip, centre, other)[order],
        torch.where(flip[:, None], -shift, shift)[order],
        1.0,
    )
    straight = mirror(centre, other, shift, 1.0)
    assert torch.equal(rows_of(turned), rows_of(straight))
    assert torch.equal(turned.reverse, straight.reverse)


def test_mirror_of_nothing():
    empty = torch.empty(0, dtype=torch.int64)
    neighbours = mirror(empty, empty, torch.empty((0, 3), dtype=torch.int64), math.inf)
    assert [field.shape[0] for field in neighbours[:4]] == [0, 0, 0, 0]


@pytest.mark.parametrize("size", [1, 10, 2**20, 2**40, 2**61])
def test_key_sorts_like_tuples(size):
    generator = torch.Generator().manual_seed(3)
    columns = [torch.randint(-size, size + 1, (200,), generator=generator) for _ in range(4)]
    columns[0] = columns[0] % 3
    key = lexicographic_key(columns).tolist()
    rows = list(zip(*[column.tolist() for column in columns], strict=True))
    by_key = [row for _, row in sorted(zip(key, rows, strict=True))]
    assert by_key == sorted(rows)
    assert len(set(key)) == len(set(rows))


def test_restrict_drops_both_directions():
    centre, other, shift = random_half_list(4, 100, 10, 1)
    neighbours = mirror(centre, other, shift, 5.0)
    keep = torch.rand(neighbours.centre.shape[0], generator=torch.Generator().manual_seed(0)) < 0.7
    assert not torch.equal(keep, keep[neighbours.reverse])
    kept = restrict(neighbours, keep, 4.0)
    assert_contract(kept)
    both = keep & keep[neighbours.reverse]
    assert torch.equal(rows_of(kept), rows_of(neighbours)[both])
    assert kept.cutoff == 4.0
