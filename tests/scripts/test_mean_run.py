"""The mean of finished runs, to be published."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import mean_run
import publish_model

from sakeff.card import make_card
from sakeff.checkpoint import load_checkpoint
from sakeff.data.frames import load
from sakeff.training.config import parse_train_config
from sakeff.training.evaluate import evaluate
from sakeff.training.run import train
from tests.training.builders import TINY, make_frames, recipe


def finished(folder, name, start=None, max_minutes=None, **changes):
    """A short run of springs, with a test set of its own."""
    if not (folder / "data.npz").exists():
        make_frames(count=30).save(folder / "data.npz")
        make_frames(count=9, seed=7).save(folder / "test.npz")
    data = {"path": str(folder / "data.npz"), "train": 20, "validation": 5, "test_path": str(folder / "test.npz")}
    config = parse_train_config(recipe(folder / "data.npz", data=data, **{"steps": 4, **changes}))
    train(config, folder / name, init_from=start, max_minutes=max_minutes, show_progress=False)
    return folder / name


@pytest.fixture
def runs(tmp_path):
    """A run, and another that goes on from it."""
    one = finished(tmp_path, "one")
    return one, finished(tmp_path, "two", start=one / "model", seed=5)


def weights(run):
    return dict(load_checkpoint(run / "model").potential.named_parameters())


def test_a_run_named_twice_counts_twice(runs, tmp_path):
    one, two = runs
    assert mean_run.main([str(one), str(one), str(two), "--out", str(tmp_path / "mean")]) == 0
    first, second, mixed = weights(one), weights(two), weights(tmp_path / "mean")
    assert any(not torch.equal(first[name], second[name]) for name in first)
    for name, weight in mixed.items():
        assert torch.allclose(weight, (2 * first[name] + second[name]) / 3, rtol=0, atol=1e-14)


def test_errors_are_those_of_the_mean_and_the_rest_is_of_the_last_run(runs, tmp_path):
    one, two = runs
    found = mean_run.mean_run([one, two], tmp_path / "mean")
    checkpoint = load_checkpoint(tmp_path / "mean" / "model")
    expected = evaluate(checkpoint.potential, load(tmp_path / "test.npz")).metrics
    assert found["test"] == pytest.approx(expected, rel=1e-12)
    last = json.loads((two / "metrics.json").read_text())
    assert found["test"] != last["test"]
    assert found["validation"] != last["validation"]
    assert {key: found[key] for key in ("steps", "minutes")} == {key: last[key] for key in ("steps", "minutes")}
    assert checkpoint.provenance["seed"] == 5
    assert len(checkpoint.provenance["mean_of"]) == 2


def test_the_mean_can_be_published_and_its_card_says_so(runs, tmp_path, monkeypatch):
    mean_run.mean_run(list(runs), tmp_path / "mean")
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "recipe.yaml").write_text("data: {path: springs.npz}\n")
    monkeypatch.setattr(publish_model, "models_folder", lambda: tmp_path / "models")
    folder = publish_model.publish(tmp_path / "mean", "mine")
    assert "| weights | mean of 2 checkpoints" in make_card(folder)


@pytest.mark.parametrize("missing", ["metrics.json", "train.json", "learning_curve.png"])
def test_an_incomplete_run_has_no_mean(runs, tmp_path, capsys, missing):
    (runs[0] / missing).unlink()
    assert mean_run.main([*map(str, runs), "--out", str(tmp_path / "mean")]) == 1
    assert missing in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()


def test_a_run_that_stopped_early_has_no_mean(runs, tmp_path, capsys):
    early = finished(tmp_path, "early", max_minutes=1e-9, steps=50)
    assert mean_run.main([str(runs[0]), str(early), "--out", str(tmp_path / "mean")]) == 1
    assert "not finished" in capsys.readouterr().err
    assert not (tmp_path / "mean").exists()


def test_other_settings_have_no_mean(runs, tmp_path, capsys):
    other = finished(tmp_path, "other", potential={"representation": {**TINY, "cutoff": 2.5}})
    assert mean_run.main([str(runs[0]), str(other), "--out", str(tmp_path / "mean")]) == 1
    assert "different settings" in capsys.readouterr().err


def test_nothing_is_written_over(runs, tmp_path, capsys):
    (tmp_path / "mean").mkdir()
    assert mean_run.main([*map(str, runs), "--out", str(tmp_path / "mean")]) == 1
    assert "exists already" in capsys.readouterr().err
