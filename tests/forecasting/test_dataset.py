import json

import numpy as np
import pytest

from sakeff.errors import DataError, OutputExistsError
from sakeff.forecasting.charged import draw, simulate
from sakeff.forecasting.dataset import SETS, generate, load, save, set_path
from tests.forecasting.builders import SHORT, SIZES


def test_sets_follow_from_the_seed_alone(data, tmp_path):
    generate(tmp_path, 1, SIZES, SHORT)
    hashes = {}
    for name in SETS:
        one, two = load(set_path(data, name)), load(set_path(tmp_path, name))
        assert one.sha256() == two.sha256()
        assert one.trajectories.positions.shape == (SIZES[name], 15, 5, 3)
        hashes[name] = one.sha256()
    assert len(set(hashes.values())) == 3
    generate(tmp_path, 2, SIZES, SHORT, overwrite=True)
    assert load(set_path(tmp_path, "test")).sha256() != hashes["test"]


def test_a_file_holds_what_was_simulated(data):
    stored = load(set_path(data, "validation"))
    again = simulate(draw(np.random.default_rng([1, 1]), SIZES["validation"], SHORT), SHORT)
    for got, expected in zip(stored.trajectories, again, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)
    assert stored.origin == {"set": "validation", "seed": 1, "protocol": SHORT._asdict()}


def test_nothing_is_overwritten_unasked(data):
    before = set_path(data, "train").read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        generate(data, 5, SIZES, SHORT)
    assert set_path(data, "train").read_bytes() == before


def test_what_is_no_data_set_is_refused(data, tmp_path):
    with pytest.raises(DataError, match="generate the data set first"):
        load(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(set_path(data, "test").read_bytes()[:-200])
    with pytest.raises(DataError, match="damaged"):
        load(broken)
    stored = load(set_path(data, "test"))
    save(tmp_path / "other.npz", stored._replace(origin={**stored.origin, "format": "else"}))
    with pytest.raises(DataError, match="another format"):
        load(tmp_path / "other.npz")
    json.dumps(stored.origin)
