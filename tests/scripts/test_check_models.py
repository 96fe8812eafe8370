"""The check of the cards: it evaluates, it notices, and it says what it could not do."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import check_models

from sakeff.zoo import models_folder

NAME = "so3krates-gfn2"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with one bundled model whose card can be changed."""
    shutil.copytree(models_folder() / NAME, tmp_path / NAME)
    for module in ("check_models.models_folder", "sakeff.zoo.models_folder"):
        monkeypatch.setattr(module, lambda: tmp_path)
    return tmp_path


def test_the_card_of_a_bundled_model(models, capsys):
    assert check_models.check(NAME) is True
    assert "agrees" in capsys.readouterr().out


@pytest.mark.parametrize("key", ["force_mae_meV_per_A", "energy_rmse_meV"])
def test_a_wrong_card_is_noticed(models, capsys, key):
    path = models / NAME / "config.json"
    document = json.loads(path.read_text())
    document["provenance"]["metrics"]["test"][key] *= 1.05
    path.write_text(json.dumps(document))
    assert check_models.check(NAME) is False
    said = capsys.readouterr().out
    assert "DIFFERS" in said
    assert f"{key} " in said


def test_a_missing_test_set_is_no_agreement(models, capsys, monkeypatch):
    monkeypatch.setitem(check_models.FOLDERS, "data/gfn2", models)
    assert check_models.check(NAME) is None
    assert "skipped" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["check_models.py", NAME])
    assert check_models.main() == 1
    assert f"NOT CHECKED: {NAME}" in capsys.readouterr().err
