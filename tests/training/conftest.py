"""Fixtures of the training tests."""

import pytest

from sakeff.config import build_potential, parse_potential_config
from tests.training.builders import TINY, make_frames


@pytest.fixture
def frames():
    return make_frames()


@pytest.fixture
def potential():
    config = parse_potential_config({"elements": [1, 8], "representation": TINY})
    return build_potential(config, seed=1).double()


@pytest.fixture
def data_file(frames, tmp_path):
    frames.save(tmp_path / "frames.npz")
    return tmp_path / "frames.npz"
