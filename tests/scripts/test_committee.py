"""Rank correlation of deviation and error: against scipy, on predictions with known errors, and the command."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import committee as script

from sakeff.checkpoint import load_checkpoint, read_document, save_checkpoint
from sakeff.config import build_potential
from sakeff.errors import ConfigError
from sakeff.training.evaluate import Evaluation
from sakeff.zoo import resolve_model
from tests.small_models import small_model
from tests.training.builders import make_frames


def test_the_correlation_is_that_of_scipy_with_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 40), rng.normal(size=40)
    assert script.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-14)
    assert script.spearman(b, np.exp(b)) == pytest.approx(1.0)
    assert script.spearman(np.zeros(40), b) is None


def predictions(frames, spread, members=4, seed=1):
    """Members that scatter around the labels by ``spread`` (A,) and (M,), as in a committee that knows its errors."""
    rng = np.random.default_rng(seed)
    of_forces, of_energy = spread
    return [
        Evaluation(
            {},
            frames.energy + of_energy * rng.normal(size=len(frames)),
            frames.forces + of_forces[:, None] * rng.normal(size=frames.forces.shape),
        )
        for _ in range(members)
    ]


def test_a_committee_that_knows_its_errors_is_recognised():
    frames = make_frames()
    rng = np.random.default_rng(5)
    wide = np.exp(2.0 * rng.normal(size=len(frames.forces))), np.exp(2.0 * rng.normal(size=len(frames)))
    found = script.report(frames, predictions(frames, wide))
    assert found["spearman_force_per_atom"] > 0.6
    assert found["members"] == 4
    assert found["atoms"] == len(frames.forces)
    # the mean of M members scatters by sqrt(1/M) of what one does
    assert found["force_rms_error_meV_per_A"] / found["force_rms_deviation_meV_per_A"] == pytest.approx(0.5, rel=0.4)
    assert found["force_mae_meV_per_A"] < min(found["force_mae_of_members_meV_per_A"])


def test_errors_on_both_sides_of_the_threshold():
    frames = make_frames()
    shift = np.zeros_like(frames.forces)
    shift[0] = [1.0, 1.0, 1.0]
    evaluations = [Evaluation({}, frames.energy, frames.forces + sign * shift) for sign in (0.0, 2.0)]
    found = script.report(frames, evaluations, threshold=0.5)
    assert found["atoms_above_threshold"] == 1
    assert found["force_rms_error_above_meV_per_A"] == pytest.approx(1000.0)
    assert found["force_rms_error_below_meV_per_A"] == pytest.approx(0.0, abs=1e-9)
    assert found["spearman_force_per_atom"] == pytest.approx(1.0)
    assert found["spearman_energy"] is None


def test_the_largest_of_each_frame():
    frames = make_frames()
    values = np.random.default_rng(2).normal(size=len(frames.forces))
    expected = [values[a:b].max() for a, b in zip(frames.offsets[:-1], frames.offsets[1:], strict=True)]
    np.testing.assert_array_equal(script.largest(values, frames), expected)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["committee", *map(str, arguments)])
    script.main()


def test_the_command_prints_json(tmp_path, monkeypatch, capsys):
    first = small_model(tmp_path / "first")
    checkpoint = load_checkpoint(first)
    second = build_potential(checkpoint.config, seed=8)
    save_checkpoint(tmp_path / "second", second, checkpoint.config, checkpoint.provenance)
    make_frames().save(tmp_path / "data.npz")
    out = tmp_path / "committee.json"
    call(monkeypatch, "--models", first, tmp_path / "second", "--data", tmp_path / "data.npz", "--out", out)
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(out.read_text())
    assert list(found["models"]) == [str(first), str(tmp_path / "second")]
    assert found["frames"] == len(make_frames())
    assert -1 <= found["spearman_force_per_atom"] <= 1
    with pytest.raises(ConfigError, match="list two models"):
        call(monkeypatch, "--models", first, "--data", tmp_path / "data.npz")


def test_the_committed_report_is_of_the_bundled_weights():
    report = json.loads((Path(__file__).parents[2] / "models" / "committee.json").read_text())
    assert report["models"] == {name: read_document(resolve_model(name))["weights_sha256"] for name in report["models"]}
    assert report["spearman_force_per_atom"] > 0.3
