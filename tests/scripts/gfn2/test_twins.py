"""Copies of a molecule apart from each other."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import curated, molecules, twins

from sakeff.data.frames import Frames
from sakeff.errors import DataError


def test_twins_are_copies_apart_and_none_is_held_out(water_and_ammonia):
    drawn = twins.twins(water_and_ammonia, {"N.N.N"}, 120, np.random.default_rng(11))
    every = {".".join(molecule * copies) for molecule in "ON" for copies in range(2, 7)}
    assert set(drawn.groups) == every - {"N.N.N"}
    assert drawn.n_atoms.max() == 24
    assert np.isnan(drawn.energy).all()
    gaps, differences, turns, rows = [], [], [], []
    for frame in (drawn.frame(i) for i in range(len(drawn))):
        copies = frame.positions.reshape(frame.groups[0].count(".") + 1, -1, 3)
        apart = np.linalg.norm(copies[1, :, None] - copies[0][None], axis=-1)
        gaps.append(apart.min())
        inside = [np.linalg.norm(copy[:, None] - copy[None], axis=-1) for copy in copies]
        differences.append(np.abs(inside[1] - inside[0]).max())
        moved = copies - copies.mean(axis=1, keepdims=True)
        turns.append(np.abs(moved[1] - moved[0]).max())
        if len(copies) > 2:
            steps = np.diff(copies.mean(axis=1), axis=0)
            rows.append(np.abs(steps - steps[0]).max() < 0.15)
    assert 0.6 < np.mean(np.array(turns) < 0.15) < 0.95  # parallel to the first one, but for the shaking
    assert 0.3 < np.mean(rows) < 0.7
    assert min(gaps) >= 2.5 - 0.2  # a row is shaken as a whole
    assert max(gaps) <= 9.0 + 0.2
    assert max(gaps) - min(gaps) > 4.0
    assert min(differences) > 0.0
    with pytest.raises(DataError, match="no molecule may be doubled"):
        twins.twins(water_and_ammonia.select([0]), every, 1, np.random.default_rng(11))


def test_half_of_the_twins_are_residues_and_three_of_them_fit():
    residue = molecules.canonical(curated.RESIDUES[0])
    sizes = {residue: 22, "CO": 6, "N": 4, "O": 3}
    positions = [np.random.default_rng(1).normal(scale=5.0, size=(n, 3)) for n in sizes.values()]
    numbers = [np.full(n, 6) for n in sizes.values()]
    train = Frames.build(numbers, positions, positions, np.zeros(4), "a level", groups=np.array(list(sizes)))
    drawn = twins.twins(train, set(), 200, np.random.default_rng(5))
    share = np.mean([residue in name for name in drawn.groups])
    assert share == pytest.approx(0.5, abs=0.12)
    assert drawn.n_atoms.max() == 66
