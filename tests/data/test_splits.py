import numpy as np
import pytest

from sakeff.data.frames import Frames
from sakeff.data.splits import read_split_file, split_frames
from sakeff.errors import DataError


@pytest.fixture
def frames():
    groups = [name for name in "abcdefghij" for _ in range(4)]
    one = [np.zeros((1, 3))] * 40
    return Frames.build([np.array([1])] * 40, one, one, np.zeros(40), "none", groups=groups)


def test_sets_are_disjoint_and_of_the_asked_size(frames):
    split = split_frames(frames, 20, 5)
    assert [len(part) for part in split] == [20, 5, 15]
    assert len(np.unique(np.concatenate(split))) == 40


def test_groups_never_straddle(frames):
    split = split_frames(frames, 0.6, 0.2, 0.1, by="group")
    names = [set(frames.groups[part]) for part in split]
    assert [len(part) for part in names] == [6, 2, 1]
    assert len(set.union(*names)) == 9
    assert [len(part) for part in split] == [24, 8, 4]


def test_the_seed_alone_decides(frames):
    first, again, other = (split_frames(frames, 20, 5, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train, again.train)
    assert not np.array_equal(first.train, other.train)


@pytest.mark.parametrize("sizes", [(30, 20), (41, 0), (0, 5), (-1, 5), (20, 10, 11)])
def test_impossible_sizes_are_refused(frames, sizes):
    with pytest.raises(DataError):
        split_frames(frames, *sizes)


def test_an_unknown_unit_is_refused(frames):
    with pytest.raises(DataError, match="choose one of"):
        split_frames(frames, 1, 1, by="molecule")


def test_published_split_files(tmp_path):
    path = tmp_path / "index_train_01.csv"
    path.write_text("3\n1\n7\n")
    assert read_split_file(path).tolist() == [3, 1, 7]
    path.write_text("three\n")
    with pytest.raises(DataError, match="one per line"):
        read_split_file(path)
