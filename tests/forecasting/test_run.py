"""Whole runs: they learn, resume exactly, refuse what is wrong, and their file gives the reported numbers."""

import json

import pytest
import torch

from sakeff.errors import CheckpointError, ConfigError, DataError, OutputExistsError, TrainingError
from sakeff.forecasting.checkpoint import load_forecaster
from sakeff.forecasting.config import load_forecast_config, parse_forecast_config
from sakeff.forecasting.dataset import load, set_path
from sakeff.forecasting.run import train_forecaster
from sakeff.forecasting.step import ForecastErrors, ForecastValidator
from sakeff.forecasting.task import SampleStore, make_samples
from tests.forecasting.builders import make_data, recipe


def run(document, out, **options):
    return train_forecaster(parse_forecast_config(document), out, show_progress=False, **options)


def losses(out):
    """Everything that was logged, but for wall times."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "minutes"} for line in lines]


def test_a_run_learns_and_leaves_everything_behind(data, tmp_path):
    metrics = run(recipe(data, steps=150, validate_every=50), tmp_path)
    validation = [r["mse_positions"] for r in losses(tmp_path) if r["split"] == "validation"]
    train = [r["mse_positions"] for r in losses(tmp_path) if r["split"] == "train"]
    assert train[-1] < 0.3 * train[0]
    assert metrics["validation"]["mse_positions"] == pytest.approx(min(validation), rel=1e-12)
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert (metrics["steps"], metrics["finished"], metrics["data"]["seed"]) == (150, True, 1)
    stored = load_forecaster(tmp_path / "model.safetensors")
    test = make_samples(load(set_path(data, "test")), [4], 5, stored.document["targets"])
    validator = ForecastValidator(SampleStore(test, "cpu", torch.float64), 4, ForecastErrors({"positions": 1.0}))
    assert validator(stored.forecaster)[1] == pytest.approx(metrics["test"], rel=1e-9)
    assert stored.document["provenance"]["metrics"] == metrics


def test_slices_do_what_one_run_does(data, tmp_path):
    task = {"folder": str(data), "input_frame": 4, "target_frame": 9, "symmetries": ["galilean", "charge_conjugation"]}
    document = recipe(data, task=task, jitter=0.1, time_unit=0.5)
    run(document, tmp_path / "whole")
    out = tmp_path / "slices"
    metrics, slices = run(document, out, max_minutes=1e-9), 1
    while not metrics["finished"]:
        metrics, slices = run(document, out, resume=True, max_minutes=1e-9), slices + 1
    assert slices == 8
    assert losses(out) == losses(tmp_path / "whole")
    whole, sliced = [load_forecaster(tmp_path / n / "model.safetensors").forecaster for n in ("whole", "slices")]
    for one, two in zip(whole.parameters(), sliced.parameters(), strict=True):
        assert torch.equal(one, two)


def test_velocities_can_be_forecast_too(data, tmp_path):
    task = {"folder": str(data), "input_frame": 4, "target_frame": 6, "targets": {"positions": 1.0, "velocities": 1.0}}
    task["train_frames"] = [0, 12]
    assert set(run(recipe(data, task=task), tmp_path)["test"]) == {"mse_positions", "mse_velocities"}


def test_a_resume_that_does_not_fit_is_refused(data, tmp_path):
    own = make_data(tmp_path / "data")
    out = tmp_path / "run"
    run(recipe(own), out, max_minutes=1e-9)
    with pytest.raises(TrainingError, match="differs in batch_size"):
        run(recipe(own, batch_size=8), out, resume=True)
    with pytest.raises(OutputExistsError, match="exists already"):
        run(recipe(own), out)
    for name in ("train", "validation", "test"):
        set_path(own, name).unlink()
    make_data(own, seed=2)
    with pytest.raises(TrainingError, match="differs in test data, train data, validation data"):
        run(recipe(own), out, resume=True)


def test_it_stops_when_validation_no_longer_improves(data, tmp_path):
    still = recipe(data, steps=500, patience=2, validate_every=1, optimizer={"learning_rate": 1e-30})
    assert run({**still, "average_decay": 0.0}, tmp_path)["steps"] < 20


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"task": {"folder": "x", "targets": {}}}, "task.targets"),
        ({"task": {"folder": "x", "targets": {"forces": 1.0}}}, "unknown targets"),
        ({"task": {"folder": "x", "targets": {"positions": 0.0}}}, "positive weight"),
        ({"task": {"folder": "x", "train_frames": [5, 4]}}, "in this order"),
        ({"task": {"folder": "x", "symmetries": ["parity"]}}, "unknown symmetries"),
        ({"jitter": -0.1}, "jitter"),
        ({"time_unit": 0.0}, "time_unit"),
        ({"representation": {"width": 4}}, "'name'"),
        ({"epochs": 3}, "steps or as epochs"),
        ({"potential": {}}, "potential"),
    ],
)
def test_mistakes_in_a_recipe_are_named(data, changes, key):
    with pytest.raises(ConfigError, match=key):
        parse_forecast_config(recipe(data, **changes))


def test_missing_and_damaged_files(data, tmp_path):
    with pytest.raises(DataError, match="generate the data set first"):
        run(recipe(tmp_path / "nowhere"), tmp_path / "run")
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_forecaster(tmp_path / "none.safetensors")
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe(data)))
    assert load_forecast_config(path) == parse_forecast_config(recipe(data))
