"""The MD17 table: recipes of all molecules, printed errors, runs that are missing, and the committed page."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import md17 as script

from sakeff.training.config import parse_train_config
from tests.training.builders import make_frames, recipe

DOCS = Path(__file__).parents[2] / "docs"


def test_the_recipes_are_those_of_ethanol_with_other_data():
    found = script.recipes()
    assert len(found) == 12
    ours, ethanol = found["so3krates-salicylic"], script.load_train_config(script.bundled("so3krates") / "recipe.yaml")
    assert ours.data.path.endswith("rmd17_salicylic_train_01.npz")
    assert ours.data.test_path.endswith("rmd17_salicylic_test_01.npz")
    assert ours.model_copy(update={"data": ethanol.data}) == ethanol
    assert ours.data.options == {"labels": "original"}


def test_printed_errors_are_those_of_the_papers():
    energy, forces = script.PRINTED["so3krates"]["ethanol"]
    assert (energy, forces) == pytest.approx((2.26, 4.16), abs=0.01)  # meV, meV/A
    assert script.PRINTED["sake"]["ethanol"] == (2.20, 2.75)
    assert set(script.PRINTED) == set(script.ARCHITECTURES)
    assert all(set(rows) == set(script.MOLECULES) for rows in script.PRINTED.values())


def test_hyperparameters_are_beside_those_of_the_papers():
    page = script.deviations()
    assert "| layers | 4 (8) | 3 (6) |" in page
    assert "| learning rate | 0.003 (0.001) | 0.003 (0.001) |" in page
    assert "| epochs | 505 (5000) | 168 (4000) |" in page
    assert "| validation frames | 50 | 50 (1000) |" in page


def test_a_run_fills_its_cells_and_the_others_stay_not_trained(tmp_path, monkeypatch, capsys):
    make_frames(count=30).save(tmp_path / "data.npz")
    data = {"path": str(tmp_path / "data.npz"), "train": 8, "validation": 4, "test": 6}
    known = {**script.recipes(), "sake-uracil": parse_train_config(recipe("", data=data, steps=2))}
    monkeypatch.setattr(script, "recipes", lambda: known)
    monkeypatch.setattr(script, "DOCUMENT", tmp_path / "md17.json")
    runs = str(tmp_path / "runs")
    assert script.main(["train", "--runs", runs, "--only", "sake-uracil"]) == 0
    assert script.main(["table", "--runs", runs]) == 0
    first = (tmp_path / "md17.md").read_text()
    assert first.count("not trained") == 2 * 11
    assert "- sake-uracil: 2 steps of adam," in first
    assert script.main(["table"]) == 0  # without the runs: what was measured stays
    assert (tmp_path / "md17.md").read_text() == first
    assert script.main(["train", "--runs", runs, "--only", "sake-caffeine"]) == 1
    assert "sake-caffeine" in capsys.readouterr().err


def test_the_committed_page_is_that_of_the_committed_numbers():
    found = json.loads((DOCS / "md17.json").read_text())
    assert script.measured(None, found) == found
    assert (DOCS / "md17.md").read_text() == script.as_markdown(found)
