import numpy as np
import pytest

from sakeff.data.padding import Capacity, Sizes, choose_capacity, pack
from sakeff.errors import DataError


def make_sizes(seed=0, count=200):
    atoms = np.random.default_rng(seed).integers(3, 24, count)
    return Sizes(atoms, [atoms * (atoms - 1), 7 * atoms])


def test_capacity_holds_the_largest_frame_and_an_average_batch():
    sizes = make_sizes()
    capacity = choose_capacity(sizes, 16)
    assert capacity.structures == 16
    assert capacity.atoms > 16 * sizes.atoms.mean()
    for limit, edges in zip(capacity.edges, sizes.edges, strict=True):
        assert limit >= max(edges.max(), 16 * edges.mean())
    single = choose_capacity(sizes, 1)
    assert single.atoms > sizes.atoms.max()
    assert all(limit >= edges.max() for limit, edges in zip(single.edges, sizes.edges, strict=True))


def test_capacity_of_equal_frames_has_no_slack_beyond_the_grain():
    sizes = Sizes(np.full(50, 9), [np.full(50, 72)])
    capacity = choose_capacity(sizes, 32)
    assert 32 * 9 + 1 <= capacity.atoms < 32 * 9 + 1 + 16
    assert 32 * 72 <= capacity.edges[0] < 32 * 72 + 16


@pytest.mark.parametrize("structures", [1, 5, 16])
def test_pack_loses_no_frame_and_overflows_nowhere(structures):
    sizes = make_sizes()
    capacity = choose_capacity(sizes, structures)
    order = np.random.default_rng(1).permutation(len(sizes.atoms))
    table = pack(order, sizes, capacity)
    assert table.shape[1] == structures
    np.testing.assert_array_equal(table[table < len(sizes.atoms)], order)
    for row in table:
        frames = row[row < len(sizes.atoms)]
        assert sizes.atoms[frames].sum() < capacity.atoms
        assert all(edges[frames].sum() <= limit for edges, limit in zip(sizes.edges, capacity.edges, strict=True))


def test_most_batches_are_full():
    sizes = make_sizes(count=2000)
    table = pack(range(2000), sizes, choose_capacity(sizes, 16))
    assert np.mean(table < 2000) > 0.9


def test_a_frame_that_does_not_fit_is_refused():
    sizes = make_sizes()
    with pytest.raises(DataError, match="choose the capacity"):
        pack([int(sizes.atoms.argmax())], sizes, Capacity(4, 10, [1000, 1000]))


def test_an_empty_batch_is_refused():
    with pytest.raises(DataError, match="at least 1"):
        choose_capacity(make_sizes(), 0)
