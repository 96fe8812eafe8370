"""Complexes that models disagree about."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import exploration, geometry

from sakeff.data.frames import Frames


def test_exploration_leaves_held_out_complexes_alone(water_and_ammonia):
    drawn = exploration.random_complexes(water_and_ammonia, {"N.O", "O.O"}, 20, np.random.default_rng(7))
    assert set(drawn.groups) == {"N.N"}
    assert np.isnan(drawn.energy).all()
    both = exploration.random_complexes(water_and_ammonia, set(), 40, np.random.default_rng(7))
    assert set(both.groups) == {"N.N", "N.O", "O.O"}
    contacts = [_closest(both, i, 3 if both.numbers[both.offsets[i]] == 8 else 4) for i in range(len(both))]
    assert 0.5 <= min(contacts) < 0.65
    assert 1.0 < max(contacts) <= 1.15


def test_the_most_disputed_are_large_and_not_astray():
    deviation = np.array([0.1, 3.0, np.nan, 25.0, 1.0, np.inf, 2.0])
    assert exploration.most_disputed(deviation, 2).tolist() == [1, 6]
    assert exploration.most_disputed(deviation, 9).tolist() == [0, 1, 4, 6]


def _closest(frames: Frames, index: int, n_first: int) -> float:
    """Closest contact between the first atoms and the rest, as a multiple of the van der Waals distance."""
    one = frames.frame(index)
    pairs = np.array([(0, i) for i in range(1, n_first)] + [(n_first, i) for i in range(n_first + 1, len(one.numbers))])
    return geometry.closest_contact(one.numbers, one.positions, pairs)
