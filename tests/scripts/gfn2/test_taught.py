"""Frames of molecules that a trained model labels: which of them are left out."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import taught
from gfn2.sampling import Sample


def _methanol_with(samples, monkeypatch):
    """Frames of a lesson about methanol whose one conformer is not relaxed."""
    monkeypatch.setattr(taught, "_relaxation", lambda numbers, start, teacher, steps: [start])
    lesson = taught.Lesson(lambda rng: "CO", lambda mol, start, rng: start, 0, lambda mol, path, rng: samples(path[0]))
    return taught.frames(lesson, 1, None, "GFN2-xTB", np.random.default_rng(0))


def _moved(positions: np.ndarray, atom: int, to: np.ndarray) -> np.ndarray:
    changed = positions.copy()
    changed[atom] = to
    return changed


def test_a_broken_molecule_is_kept_only_if_it_may_be_broken(monkeypatch):
    def samples(start):
        far = _moved(start, 5, start[5] + [3.0, 0.0, 0.0])
        return [Sample(start), Sample(far), Sample(far, intact=False)]

    assert len(_methanol_with(samples, monkeypatch)) == 2


def test_two_atoms_in_one_place_are_never_kept(monkeypatch):
    def samples(start):
        return [Sample(start), Sample(_moved(start, 5, start[0] + [0.3, 0.0, 0.0]), intact=False)]

    assert len(_methanol_with(samples, monkeypatch)) == 1


def test_frames_are_centred_and_have_no_labels_yet(monkeypatch):
    frames = _methanol_with(lambda start: [Sample(start + 7.0)], monkeypatch)
    np.testing.assert_allclose(frames.frame(0).positions.mean(axis=0), 0.0, atol=1e-12)
    assert np.isnan(frames.energy).all()
    assert frames.groups.tolist() == ["CO"]
