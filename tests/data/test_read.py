import numpy as np
import pytest

from sakeff.data.read import read_frames
from sakeff.errors import DataError
from tests.data.test_rmd17 import write_archive
from tests.training.builders import make_frames


def test_npz_files_are_told_apart_by_their_content(tmp_path):
    frames = make_frames()
    frames.save(tmp_path / "own.npz")
    write_archive(tmp_path / "rmd17_water.npz")
    assert read_frames(tmp_path / "own.npz").sha256() == frames.sha256()
    assert set(read_frames(str(tmp_path / "rmd17_water.npz")).groups) == {"water"}


def test_several_files_are_joined_in_order(tmp_path):
    parts = [make_frames(count=4, seed=seed) for seed in (1, 2)]
    paths = [tmp_path / f"{seed}.npz" for seed in (1, 2)]
    for part, path in zip(parts, paths, strict=True):
        part.save(path)
    joined = read_frames(paths)
    np.testing.assert_array_equal(joined.energy, np.concatenate([part.energy for part in parts]))
    write_archive(tmp_path / "rmd17_water.npz")
    with pytest.raises(DataError, match="levels of theory differ"):
        read_frames([*paths, tmp_path / "rmd17_water.npz"])
