"""Publishing a run: everything or nothing."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import publish_model

from sakeff.card import make_card
from sakeff.checkpoint import load_checkpoint
from sakeff.errors import CheckpointError
from sakeff.training.config import parse_train_config
from sakeff.training.run import train
from tests.training.builders import make_frames, recipe


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models that holds one recipe."""
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "recipe.yaml").write_text("data: {path: springs.npz}\n")
    monkeypatch.setattr(publish_model, "models_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def finished(tmp_path):
    """A short run of springs."""
    make_frames(count=30).save(tmp_path / "data.npz")
    train(parse_train_config(recipe(tmp_path / "data.npz", steps=3)), tmp_path / "run", show_progress=False)
    return tmp_path / "run"


def test_a_run_becomes_a_model(models, finished):
    folder = publish_model.publish(finished, "mine")
    assert load_checkpoint(folder).provenance == load_checkpoint(finished / "model").provenance
    assert json.loads((folder / "metrics.json").read_text()) == json.loads((finished / "metrics.json").read_text())
    assert (folder / "card.md").read_text() == make_card(folder)
    assert (folder / "program.pt").is_file()


@pytest.mark.parametrize("missing", ["metrics.json", "parity_test.png"])
def test_an_incomplete_run_changes_nothing(models, finished, missing):
    (finished / missing).unlink()
    with pytest.raises(CheckpointError, match=missing):
        publish_model.publish(finished, "mine")
    assert [path.name for path in (models / "mine").iterdir()] == ["recipe.yaml"]


def test_a_model_needs_its_recipe(models, finished):
    with pytest.raises(CheckpointError, match=r"recipe\.yaml"):
        publish_model.publish(finished, "other")
    assert not (models / "other").exists()
