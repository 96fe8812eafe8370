"""The comparison of all architectures: recipes that differ in the architecture, runs that go on, and the table."""

import json
import re
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import comparison
import comparison_times
from benchmarks.structure import Structure
from comparison_page import as_markdown

from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import ConfigError, TrainingError
from sakeff.representations.registry import REPRESENTATIONS
from sakeff.training.build import load_sets
from sakeff.training.run import train
from tests.helpers import shared_folder
from tests.training.builders import TINY, WATER, make_frames, recipe

ETHANOL_ELEMENTS = [1, 6, 8]
TINY_SAKE = {"name": "sake", "width": 8, "layers": 1, "heads": 2, "coefficients": 4, "cutoff": 3.0, "basis_size": 4}
SUMMARY = {"median": 0.0123456, "q1": 0.012, "q3": 0.0131, "repetitions": 9}


# ---------------------------------------------------------------- the recipes


def representations():
    return {name: config.potential["representation"] for name, config in comparison.recipes().items()}


def test_every_recipe_is_in_the_table():
    assert {path.stem for path in comparison.RECIPES.glob("*.yaml")} == set(comparison.TITLES)


def test_every_registered_representation_and_each_variant_is_compared():
    found = representations()
    assert {one["name"] for one in found.values()} == set(REPRESENTATIONS)
    groups = [one["group"] for one in found.values() if one["name"] == "invariant-attention"]
    assert sorted(groups) == ["E(3)", "SE(3)"]
    kappas = {name: one.get("nonlocal_kappa") for name, one in found.items() if one["name"] == "so3krates"}
    assert kappas == {"so3krates": None, "so3krates-nonlocal": 1.0}


def test_the_recipes_differ_in_the_representation_alone():
    first, *others = [config.model_dump(exclude={"potential"}) for config in comparison.recipes().values()]
    assert all(other == first for other in others)
    assert all(set(config.potential) == {"representation"} for config in comparison.recipes().values())
    assert {one["cutoff"] for one in representations().values()} == {5.0}


def test_the_budget_is_that_of_the_page():
    config = comparison.recipes()["sake"]
    assert config.loss.model_dump() == {"energy": 0.01, "forces": 0.99, "penalty": "square", "scaling": "total"}
    assert (config.data.train, config.data.validation, config.data.options) == (950, 50, {"labels": "original"})
    assert (config.batch_size, config.schedule.name, config.optimizer.weight_decay) == (8, "cosine", 0.0)
    assert config.optimizer.learning_rate in comparison.RATES
    assert config.patience is None  # all see the same number of molecules
    assert 0.1 * config.steps > comparison.TRIAL_STEPS
    assert config.steps % config.validate_every == 0


def test_sizes_are_of_one_order():
    sizes = []
    for representation in representations().values():
        config = parse_potential_config({"elements": ETHANOL_ELEMENTS, "representation": representation})
        sizes.append(sum(weight.numel() for weight in build_potential(config).parameters()))
    assert min(sizes) > 50_000
    assert max(sizes) < 200_000
    assert max(sizes) < 1.5 * min(sizes)


def test_the_data_are_split_as_stated():
    if not (shared_folder() / "data" / "rmd17").is_dir():
        pytest.skip("there is no rMD17 beside the checkout")
    sets = load_sets(comparison.recipes()["sinet"].data)
    assert [len(frames) for frames in sets] == [950, 50, 1000]
    assert np.unique(sets.train.numbers).tolist() == ETHANOL_ELEMENTS


def test_a_trial_does_not_see_the_test_set():
    config = comparison.recipes()["sake"]
    trial = comparison.trial_of(config, 3e-3)
    assert trial.data.test_path is None
    assert (trial.data.train, trial.data.validation, trial.data.seed) == (950, 50, config.data.seed)
    assert (trial.steps, trial.optimizer.learning_rate) == (comparison.TRIAL_STEPS, 3e-3)
    assert trial.loss == config.loss
    assert comparison.best({1e-3: 30.0, 3e-3: 20.0}) == 3e-3


def test_the_protocol_names_no_folder():
    shared = comparison.protocol(comparison.recipes()["sake"])
    assert shared["molecules_seen"] == shared["steps"] * 8
    assert "/" not in json.dumps(shared)
    assert "learning_rate" not in shared["optimizer"]


# ---------------------------------------------------------------- runs


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two recipes of tiny potentials for shaken water, and times of water."""
    for name, frames in (("train", make_frames()), ("test", make_frames(5, seed=1))):
        frames.save(tmp_path / f"{name}.npz")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for name, representation in (("so3krates", TINY), ("sake", TINY_SAKE)):
        document = recipe("train.npz", potential={"representation": representation})
        document["data"] = {"path": "train.npz", "test_path": "test.npz", "train": 8, "validation": 4}
        (recipes / f"{name}.yaml").write_text(yaml.safe_dump(document))
    water = Structure("water", np.array([8, 1, 1]), WATER, np.zeros((3, 3)), False)
    monkeypatch.setattr(comparison, "RECIPES", recipes)
    monkeypatch.setattr(comparison, "SHARED", tmp_path)
    monkeypatch.setattr(comparison, "TITLES", {"so3krates": "So3krates", "sake": "SAKE"})
    monkeypatch.setattr(comparison, "TRIAL_STEPS", 3)
    monkeypatch.setattr(comparison_times, "BUDGET_S", 0.01)
    monkeypatch.setattr(comparison_times, "benchmark_structure", lambda name: water)
    monkeypatch.setattr(comparison.torch, "set_num_threads", lambda threads: None)
    return tmp_path


def run(folder, *arguments):
    places = ["--runs", str(folder / "runs"), "--docs", str(folder / "docs")]
    assert comparison.main([*arguments, *places]) == 0


def test_one_command_trains_and_writes_the_table(folder, capsys):
    run(folder, "all")
    document = comparison.read_json(folder / "docs" / "comparison.json")
    assert [row["model"] for row in document["rows"].values()] == ["So3krates", "SAKE"]
    assert document["not_trained"] == []
    row = document["rows"]["sake"]
    metrics = comparison.read_json(folder / "runs" / "sake" / "metrics.json")
    assert row["test"] == metrics["test"]
    assert row["test"]["frames"] == 5
    assert row["learning_rate"] == float(min(row["trials"], key=row["trials"].get))
    stored = comparison.read_json(folder / "runs" / "sake" / "train.json")
    assert stored["optimizer"]["learning_rate"] == row["learning_rate"]
    assert min(row["step_s"]["median"], row["evaluation_s"]["median"]) > 0
    assert "| SAKE |" in (folder / "docs" / "comparison.md").read_text()
    before = (folder / "runs" / "sake" / "metrics.jsonl").stat().st_mtime_ns
    run(folder, "train")
    assert (folder / "runs" / "sake" / "metrics.jsonl").stat().st_mtime_ns == before
    assert str(folder) not in (folder / "docs" / "comparison.json").read_text()
    capsys.readouterr()


def test_what_is_not_trained_has_no_row(folder, capsys):
    with pytest.raises(ConfigError, match="No run"):
        run(folder, "table")
    run(folder, "train", "--only", "sake")
    assert not (folder / "runs" / "so3krates").exists()
    assert list(comparison.trained(comparison.recipes(), folder / "runs")) == ["sake"]
    capsys.readouterr()


def test_stopped_runs_go_on(folder, capsys):
    config, out = comparison.recipes()["sake"], folder / "runs" / "sake"
    train(config, out, max_minutes=1e-9, show_progress=False)
    assert not comparison.finished(config, out)
    comparison.complete(config, out)
    assert comparison.finished(config, out)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert steps[-1] == config.steps
    capsys.readouterr()


def test_a_run_of_another_recipe_is_refused(folder, capsys):
    config, out = comparison.recipes()["sake"], folder / "runs" / "sake"
    comparison.complete(config, out)
    with pytest.raises(TrainingError, match="another recipe"):
        comparison.finished(comparison.with_rate(config, 0.5), out)
    capsys.readouterr()


# ---------------------------------------------------------------- times and page


def test_models_take_turns():
    calls = []
    found = comparison_times.take_turns(
        {name: lambda number, name=name: calls.append((name, number)) for name in ("a", "b")}, budget=1e-9
    )
    assert {summary.repetitions for summary in found.values()} == {100}  # five rounds of twenty calls
    for name in ("a", "b"):
        numbers = [number for called, number in calls if called == name]
        assert numbers == list(range(len(numbers)))  # never the same repetition twice
    bursts = re.sub(r"(.)\1*", r"\1", "".join(name for name, _ in calls))
    assert bursts == "ab" * 6  # to warm up, and five rounds


def test_a_burst_times_each_call():
    numbers = count(5)
    assert len(comparison_times.burst(lambda number: None, numbers, 3)) == 3
    assert next(numbers) == 8


def synthetic_row(model, force_mae):
    errors = {"frames": 1000, "energy_mae_meV": 4.912, "energy_rmse_meV": 6.535}
    errors.update({"force_mae_meV_per_A": force_mae, "force_rmse_meV_per_A": 2.0 * force_mae})
    return {
        "model": model, "parameters": 128333, "learning_rate": 0.003, "trials": {"0.001": 61.23, "0.003": 45.67},
        "test": errors, "validation": errors, "minutes": 5.6, "step_s": SUMMARY, "evaluation_s": SUMMARY,
    }  # fmt: skip


def synthetic_document(not_trained=()):
    machine = {
        "processor": "Some CPU", "cores": 2, "memory_gib": 24.0, "system": "Linux", "gpu": None,
        "date": "2026-11-21 06:00 UTC", "commit": "0123456789ab", "stolen": 0.034,
    }  # fmt: skip
    return {
        "protocol": comparison.protocol(comparison.recipes()["sake"]),
        "rows": {"sake": synthetic_row("SAKE", 18.564), "sinet": synthetic_row("SINet", 123.4)},
        "not_trained": list(not_trained),
        "measured": {"machine": machine, "versions": {"torch": "2.9.1", "numpy": "2.0"}, "threads": 1},
    }


def rows_with(page, first):
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return [line[1:] for line in lines if line[0] == first]


def test_the_page_has_every_number():
    page = as_markdown(synthetic_document())
    errors, times, rates = rows_with(page, "SAKE")
    assert errors == ["128,333", "4.91", "6.54", "18.6", "37.1"]
    assert times == ["12.3 (12.0-13.1)", "12.3 (12.0-13.1)", "6"]
    assert rates == ["61.2", "45.7", "0.003"]
    assert rows_with(page, "SINet")[0][-2:] == ["123", "247"]
    assert "48,000 molecules seen (6,000 steps of 8)" in page
    assert "950 molecules to train on, 50 to validate, 1,000 of another" in page
    assert "Some CPU, 2 cores, 1 thread, 24 GiB, Linux, 2026-11-21 06:00 UTC, commit 0123456789ab" in page
    assert "numpy 2.0, torch 2.9.1. Other guests of the machine took 3.4 %" in page
    assert "A step is a whole one of training, not compiled;" in page
    assert "SchNet and PaiNN are left out" in page
    assert "Not trained yet" not in page
    assert all(len(line) <= 120 or line.startswith(("|", "Measured")) for line in page.splitlines())


def test_the_page_says_what_is_missing():
    assert "Not trained yet: SiFormer, So3krates." in as_markdown(synthetic_document(["SiFormer", "So3krates"]))


def test_the_committed_page_shows_the_committed_numbers():
    document = comparison.read_json(comparison.ROOT / "docs" / "comparison.json")
    assert (comparison.ROOT / "docs" / "comparison.md").read_text() == as_markdown(document)
    assert set(document["rows"]) == set(comparison.TITLES)
    shared = comparison.protocol(comparison.recipes()["sake"])
    assert document["protocol"] == shared
