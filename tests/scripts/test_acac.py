"""The acetylacetone table: one command trains what is missing and goes on, another writes table and plot."""

import json
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import acac

from sakeff.checkpoint import load_checkpoint
from sakeff.errors import ConfigError
from sakeff.training.build import load_sets
from tests.helpers import shared_folder
from tests.small_models import small_model
from tests.training.builders import RUN, make_frames, recipe


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Water and tiny networks in place of acetylacetone."""
    make_frames(count=20).save(tmp_path / "train.npz")
    make_frames(count=6, seed=9).save(tmp_path / "test.npz")
    small_model(tmp_path / "base")
    data = {"path": "elsewhere", "test_path": "elsewhere", "train": 16, "validation": 4}
    (tmp_path / "recipes").mkdir()
    for name in ("full", "scratch", "fine-tuned"):
        document = recipe("elsewhere", data=data) if name == "full" else {**RUN, "data": data, "batch_size": 4}
        (tmp_path / "recipes" / f"{name}.yaml").write_text(yaml.safe_dump(document))
    changes = {"TRAIN": tmp_path / "train.npz", "TEST": tmp_path / "test.npz", "RECIPES": tmp_path / "recipes"}
    for name, value in {**changes, "POINTS": (5, 10)}.items():
        monkeypatch.setattr(acac, name, value)
    return tmp_path


def call(monkeypatch, command, folder, *arguments):
    line = ["acac.py", command, "--runs", folder / "runs", "--from", folder / "base", *arguments]
    monkeypatch.setattr(sys, "argv", [str(word) for word in line])
    acac.main()


def test_two_commands_make_everything(folder, monkeypatch, capsys):
    call(monkeypatch, "train", folder)
    call(monkeypatch, "table", folder, "--docs", folder / "docs")
    rows = json.loads((folder / "docs" / "acac.json").read_text())
    assert [row["run"] for row in rows] == ["full", "scratch-5", "scratch-10", "fine-tuned-5", "fine-tuned-10"]
    assert [row["points"] for row in rows] == [20, 5, 10, 5, 10]
    for row in rows:
        (run,) = (folder / "runs").glob(f"{row['run']}-????????")
        test = json.loads((run / "metrics.json").read_text())["test"]
        assert (row["force_rmse_meV_per_A"], row["energy_rmse_meV"]) == (
            test["force_rmse_meV_per_A"],
            test["energy_rmse_meV"],
        )
        assert row["frames"] == 6
    page = (folder / "docs" / "acac.md").read_text()
    assert f"| {rows[0]['force_rmse_meV_per_A']:.1f} | {rows[0]['energy_rmse_meV']:.1f} |" in page
    assert (folder / "docs" / "acac.png").stat().st_size > 1000
    capsys.readouterr()


def test_both_curves_have_the_network_of_the_model_and_only_one_its_weights(folder, monkeypatch, capsys):
    call(monkeypatch, "train", folder, "--only", "scratch-5", "fine-tuned-5", "--max-minutes", 1e-9)
    runs = {path.name.rsplit("-", 1)[0]: load_checkpoint(path / "model") for path in (folder / "runs").iterdir()}
    base = load_checkpoint(folder / "base")
    for run in runs.values():  # a network of random weights counts the neighbours of its own data
        assert base.config.representation.items() <= {**run.config.representation}.items()
    # one step is not far: the tuned weights are still beside those they came from
    near = {name: distance(run.potential, base.potential) for name, run in runs.items()}
    assert near["fine-tuned-5"] < 0.02 < near["scratch-5"]
    capsys.readouterr()


def distance(one, other):
    """Largest difference of weights; embeddings of other elements have another shape."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max((a - b).detach().abs().max().item() for a, b in pairs if a.shape == b.shape)


def test_a_stopped_run_goes_on_and_a_finished_one_is_left_alone(folder, monkeypatch, capsys):
    call(monkeypatch, "train", folder, "--only", "fine-tuned-10", "--max-minutes", 1e-9)
    (run,) = (folder / "runs").iterdir()
    (tuned,) = (one for one in acac.recipes(str(folder / "base")) if one.name == "fine-tuned-10")
    assert tuned.folder(folder / "runs") == run
    assert not acac.finished(tuned.config, run)
    with pytest.raises(ConfigError, match="is finished; train first"):
        call(monkeypatch, "table", folder, "--docs", folder / "docs")
    call(monkeypatch, "train", folder, "--only", "fine-tuned-10")
    assert json.loads((run / "metrics.json").read_text())["steps"] == RUN["steps"]
    before = (run / "metrics.jsonl").stat().st_mtime_ns
    call(monkeypatch, "train", folder, "--only", "fine-tuned-10")
    assert (run / "metrics.jsonl").stat().st_mtime_ns == before
    with pytest.raises(ConfigError, match="no recipes \\['half'\\]"):
        call(monkeypatch, "train", folder, "--only", "half")
    capsys.readouterr()


def test_other_weights_and_other_recipes_are_other_runs(folder):
    before = {one.name: one.folder(folder) for one in acac.recipes(str(folder / "base"))}
    small_model(folder / "other", width=24)
    after = {one.name: one.folder(folder) for one in acac.recipes(str(folder / "other"))}
    assert before["full"] == after["full"]
    assert not {before[name] for name in before if name != "full"} & set(after.values())


def rows_of(**curves):
    return [
        {"run": f"{kind}-{points}", "points": points, "force_rmse_meV_per_A": error}
        for kind, errors in curves.items()
        for points, error in errors.items()
    ]


def test_how_many_points_from_scratch_an_error_is_worth():
    rows = rows_of(scratch={100: 40.0, 400: 10.0, 50: 80.0})  # error = 4000 / points
    for error, points in ((40.0, 100), (20.0, 200), (57.0, 4000 / 57)):
        assert acac.equivalent_points(rows, "force_rmse_meV_per_A", error) == pytest.approx(points)
    assert acac.equivalent_points(rows, "force_rmse_meV_per_A", 9.9) is None
    assert acac.equivalent_points(rows, "force_rmse_meV_per_A", 80.1) is None
    rising = rows_of(scratch={50: 10.0, 100: 20.0})
    assert acac.equivalent_points(rising, "force_rmse_meV_per_A", 15.0) is None
    assert acac.equivalent_points([], "force_rmse_meV_per_A", 15.0) is None


def test_an_error_below_all_from_scratch_is_said_to_be():
    rows = rows_of(scratch={50: 80.0, 100: 40.0})
    key = "force_rmse_meV_per_A"
    assert acac.worth(rows, key, 39.0) == "less than any run from scratch with up to 100 points"
    assert acac.worth(rows, key, 40.0) == "that of 100 points from scratch"
    assert acac.worth(rows, key, 81.0) is None
    assert acac.worth(rows_of(scratch={50: 10.0, 100: 20.0}), key, 15.0) is None


def test_the_recipes_are_those_of_the_data(folder, monkeypatch):
    monkeypatch.undo()
    found = {one.name: one for one in acac.recipes("so3krates-gfn2")}
    assert {one.points for one in found.values()} == {50, 100, 200, 500}
    assert found["fine-tuned-100"].config.data.train == 80
    assert {one.start for one in found.values()} == {None, "so3krates-gfn2"}
    if not (shared_folder() / "data" / "acac").is_dir():
        pytest.skip("../shared/data/acac is not here")
    sets = load_sets(found["full"].config.data)
    assert [len(part) for part in sets] == [450, 50, 650]
    assert sets.test.level_of_theory == "PBE-D3/def2-SVP"
    assert abs(sets.test.energy.mean() + 9391.0) < 1.0


def test_the_committed_page_is_that_of_the_committed_numbers():
    docs = Path(__file__).parents[2] / "docs"
    rows = json.loads((docs / "acac.json").read_text())
    assert (docs / "acac.md").read_text() == acac.as_markdown(rows, acac.MODEL)


def test_a_run_that_is_missing_is_named():
    docs = Path(__file__).parents[2] / "docs"
    rows = [row for row in json.loads((docs / "acac.json").read_text()) if row["run"] != "full"]
    assert "| full | 500 | not trained |" in acac.as_markdown(rows, acac.MODEL)
