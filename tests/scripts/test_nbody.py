"""The script of the N-body task: one command makes the tables from recipes, and goes on where it stopped."""

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import nbody

from sakeff.errors import DataError
from tests.forecasting.builders import make_data, recipe


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of recipes: one for positions, one for both targets of an earlier frame."""
    data = make_data(tmp_path / "data")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    both = {"folder": str(data), "input_frame": 4, "target_frame": 6, "targets": {"velocities": 1.0, "positions": 1.0}}
    for name, document in (("one", recipe(data)), ("two", recipe(data, task=both))):
        (recipes / f"{name}.yaml").write_text(yaml.safe_dump(document))
    published = {"4 -> 9: positions": [{"model": "PAPER", "mse_positions": 0.0123, "source": "a paper"}]}
    (recipes / "published.yaml").write_text(yaml.safe_dump(published))
    monkeypatch.setattr(nbody, "RECIPES", recipes)
    monkeypatch.setattr(nbody, "PUBLISHED", recipes / "published.yaml")
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["nbody.py", *map(str, arguments)])
    nbody.main()


def test_one_command_makes_both_tables(folder, monkeypatch, capsys):
    command = ["table", "--runs", folder / "runs", "--docs", folder / "docs"]
    run(monkeypatch, *command)
    tables = json.loads((folder / "docs" / "nbody.json").read_text())
    assert [row["model"] for row in tables["4 -> 9: positions"]] == ["PAPER", "linear", "one"]
    assert [row["model"] for row in tables["4 -> 6: positions, velocities"]] == ["linear", "two"]
    metrics = json.loads((folder / "runs" / "one" / "metrics.json").read_text())
    assert tables["4 -> 9: positions"][2]["mse_positions"] == metrics["test"]["mse_positions"]
    page = (folder / "docs" / "nbody.md").read_text()
    assert "| PAPER | 0.01230 |" in page
    before = (folder / "runs" / "one" / "metrics.jsonl").stat().st_mtime_ns
    run(monkeypatch, *command, "--only-finished")
    assert (folder / "runs" / "one" / "metrics.jsonl").stat().st_mtime_ns == before
    assert (folder / "docs" / "nbody.md").read_text() == page
    capsys.readouterr()


def test_a_stopped_run_goes_on(folder, monkeypatch, capsys):
    path = folder / "recipes" / "one.yaml"
    run(monkeypatch, "train", path, "--out", folder / "runs" / "one", "--max-minutes", 1e-9)
    assert not nbody.finished(nbody.recipes()["one"], folder / "runs" / "one")
    run(monkeypatch, "table", "--runs", folder / "runs", "--docs", folder / "docs")
    assert json.loads((folder / "runs" / "one" / "metrics.json").read_text())["steps"] == 8
    capsys.readouterr()


def test_generate_writes_the_published_sizes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(nbody, "SIZES", {"train": 3, "validation": 2, "test": 1})
    run(monkeypatch, "generate", "--out", tmp_path / "data", "--seed", 4)
    sets = nbody.load_sets(tmp_path / "data")
    assert [len(stored.trajectories.charges) for stored in sets] == [3, 2, 1]
    assert sets.test.trajectories.positions.shape == (1, 49, 5, 3)
    with pytest.raises(DataError, match="does not exist"):
        nbody.load_sets(tmp_path / "elsewhere")
    capsys.readouterr()


def test_the_table_makes_missing_data(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(nbody, "SIZES", {"train": 3, "validation": 2, "test": 1})
    monkeypatch.setattr(nbody, "train_missing", lambda *_: None)
    path = folder / "recipes" / "one.yaml"
    document = yaml.safe_load(path.read_text())
    document["task"]["folder"] = str(tmp_path / "new")
    path.write_text(yaml.safe_dump(document))
    present = (tmp_path / "data" / "train.npz").stat().st_mtime_ns
    run(monkeypatch, "table", "--runs", folder / "runs", "--docs", folder / "docs")
    assert len(nbody.load_sets(tmp_path / "new").train.trajectories.charges) == 3
    assert (tmp_path / "data" / "train.npz").stat().st_mtime_ns == present


def test_the_recipes_are_valid_and_their_published_rows_are_found():
    recipes = nbody.recipes()
    assert "sake" in recipes
    published = yaml.safe_load(nbody.PUBLISHED.read_text())
    assert {nbody.protocol_of(config) for config in recipes.values()} <= set(published)


def test_the_committed_page_shows_the_committed_numbers():
    docs = nbody.ROOT / "docs"
    tables = json.loads((docs / "nbody.json").read_text())
    assert (docs / "nbody.md").read_text() == nbody.as_markdown(tables)
    ours = {row["model"] for rows in tables.values() for row in rows if "validation" in row}
    assert ours == set(nbody.recipes())
