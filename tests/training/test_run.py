"""Whole runs: they learn, they resume exactly, they refuse what is wrong and lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sakeff.checkpoint import load_checkpoint
from sakeff.errors import ConfigError, DataError, OutputExistsError, TrainingError
from sakeff.training.build import load_sets
from sakeff.training.config import parse_train_config
from sakeff.training.evaluate import evaluate
from sakeff.training.run import train
from sakeff.training.state import load_state
from sakeff.zoo import fingerprint
from tests.training.builders import TINY, make_frames, recipe

ROOT = Path(__file__).resolve().parents[2]
WALL_TIME = ("minutes",)


def losses(out):
    """Everything that was logged, but for wall times."""
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in WALL_TIME} for line in lines]


def run(document, out, **options):
    return train(parse_train_config(document), out, show_progress=False, **options)


@pytest.fixture
def uninterrupted(data_file, tmp_path):
    run(recipe(data_file), tmp_path / "whole")
    return losses(tmp_path / "whole")


def test_a_run_learns_and_leaves_everything_behind(data_file, tmp_path):
    out = tmp_path / "run"
    model = run(recipe(data_file, steps=60), out)
    records = losses(out)
    first, last = ([r["loss"] for r in records if r["split"] == split] for split in ("train", "validation"))
    assert last[-1] < 0.3 * first[0]
    checkpoint = load_checkpoint(model)
    assert checkpoint.config.elements == [1, 8]
    assert checkpoint.provenance["level_of_theory"] == "springs"
    assert checkpoint.provenance["charges"] == [0.0]
    assert (out / "learning_curve.png").stat().st_size > 1000
    assert (out / "parity_test.png").stat().st_size > 1000
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["steps"], metrics["finished"]) == (60, True)
    sets = load_sets(parse_train_config(recipe(data_file)).data)
    again = evaluate(checkpoint.potential, sets.test).metrics
    assert again == pytest.approx(metrics["test"], rel=1e-9)


def test_slices_do_what_one_run_does(data_file, tmp_path, uninterrupted):
    out = tmp_path / "slices"
    run(recipe(data_file), out, max_minutes=1e-9)
    slices = 1
    while not json.loads((out / "metrics.json").read_text())["finished"]:
        run(recipe(data_file), out, resume=True, max_minutes=1e-9)
        slices += 1
    assert slices > 5
    assert losses(out) == uninterrupted


def test_slices_of_a_run_with_muon_do_what_one_run_does(data_file, tmp_path):
    document = recipe(data_file, steps=25, optimizer={"name": "muon", "learning_rate": 0.005})
    run(document, tmp_path / "whole")
    run(document, tmp_path / "slices", max_minutes=1e-9)
    while not json.loads((tmp_path / "slices" / "metrics.json").read_text())["finished"]:
        run(document, tmp_path / "slices", resume=True, max_minutes=1e-9)
    assert losses(tmp_path / "slices") == losses(tmp_path / "whole")


def test_a_slice_that_ends_before_the_first_validation_leaves_what_it_learned(data_file, tmp_path):
    start = run(recipe(data_file), tmp_path / "start", max_minutes=1e-9)  # one step
    slow = recipe(data_file, steps=60, validate_every=50)
    run(slow, tmp_path / "slice", max_minutes=1e-9)
    for _ in range(19):
        learned = run(slow, tmp_path / "slice", resume=True, max_minutes=1e-9)
    before, after = (dict(load_checkpoint(model).potential.named_parameters()) for model in (start, learned))
    moved = max(float((before[name] - after[name]).detach().abs().max()) for name in before)
    assert moved > 1e-3
    metrics = json.loads((tmp_path / "slice" / "metrics.json").read_text())
    assert (metrics["steps"], metrics["finished"]) == (20, False)


@pytest.mark.parametrize("name", ["model", "metrics.json", "train.json"])
def test_files_of_the_user_are_not_written_over(data_file, tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(OutputExistsError, match="continue with --resume or choose another folder"):
        run(recipe(data_file), tmp_path)
    assert (tmp_path / name).read_text() == "precious"


def test_a_killed_run_resumes_exactly(data_file, tmp_path, uninterrupted):
    out = tmp_path / "killed"
    document = tmp_path / "train.json"
    document.write_text(json.dumps(recipe(data_file, checkpoint_minutes=0.0)))
    code = (
        "import sys; from sakeff.training.config import load_train_config; from sakeff.training.run import train;"
        "from sakeff.training import loop; import time;"
        "old = loop.Trainer._count_step;"
        "loop.Trainer._count_step = lambda self: (old(self), time.sleep(0.2));"
        "train(load_train_config(sys.argv[1]), sys.argv[2], show_progress=False)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(document), str(out)], cwd=ROOT, env=_environment())
    _wait_for(lambda: (out / "metrics.jsonl").exists() and len(losses(out)) >= 2, child)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (out / "metrics.json").exists()
    run(recipe(data_file, checkpoint_minutes=0.0), out, resume=True)
    assert losses(out) == uninterrupted


def test_a_run_killed_before_its_first_checkpoint_resumes(data_file, tmp_path, uninterrupted, monkeypatch):
    from sakeff.training.loop import Trainer

    def die(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_count_step", die)
    with pytest.raises(KeyboardInterrupt):
        run(recipe(data_file), tmp_path / "run")
    monkeypatch.undo()
    run(recipe(data_file), tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == uninterrupted


def test_sigterm_saves_and_says_how_to_go_on(data_file, tmp_path, uninterrupted, monkeypatch):
    from sakeff.training.loop import Trainer

    count = Trainer._count_step

    def count_and_stop(self):
        count(self)
        if self.progress.step == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_count_step", count_and_stop)
    with pytest.raises(TrainingError, match=r"SIGTERM stopped the run at step 7.*--resume"):
        run(recipe(data_file), tmp_path / "run")
    monkeypatch.undo()
    run(recipe(data_file), tmp_path / "run", resume=True)
    assert losses(tmp_path / "run") == uninterrupted


def test_a_resume_that_does_not_fit_is_refused(data_file, tmp_path):
    out = tmp_path / "run"
    run(recipe(data_file), out, max_minutes=1e-9)
    kept = (out / "state.safetensors").read_bytes()
    with pytest.raises(TrainingError, match="differs in batch_size"):
        run(recipe(data_file, batch_size=3), out, resume=True)
    make_frames(seed=5).save(data_file, overwrite=True)
    with pytest.raises(TrainingError, match="differs in training data"):
        run(recipe(data_file), out, resume=True)
    with pytest.raises(OutputExistsError, match="exists already"):
        run(recipe(data_file), out)
    with pytest.raises(TrainingError, match="nothing to resume"):
        run(recipe(data_file), tmp_path / "elsewhere", resume=True)
    assert (out / "state.safetensors").read_bytes() == kept


def test_a_loss_that_explodes_stops_the_run_and_keeps_the_state(data_file, tmp_path):
    out = tmp_path / "run"
    document = recipe(data_file, optimizer={"learning_rate": 1e30}, checkpoint_minutes=0.0)
    with pytest.raises(TrainingError, match="not finite"):
        run(document, out)
    assert not (out / "model").exists()
    kept = load_state(out / "state.safetensors")
    assert kept.progress.step >= 1
    assert all(torch.isfinite(value).all() for value in kept.tensors.values())


def test_early_stopping(data_file, tmp_path):
    document = recipe(data_file, steps=500, patience=2, validate_every=1, optimizer={"learning_rate": 1e-30})
    run({**document, "average_decay": 0.0}, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["finished"]
    assert metrics["steps"] < 20


def test_training_on_forces_alone_finds_the_integration_constant(data_file, tmp_path):
    model = run(recipe(data_file, loss={"energy": 0.0, "forces": 1.0}, steps=40), tmp_path / "run")
    potential = load_checkpoint(model).potential
    sets = load_sets(parse_train_config(recipe(data_file)).data)
    error = sets.train.energy - evaluate(potential, sets.train).energy
    for name in ("OH", "HOH"):
        assert abs(error[sets.train.groups == name].mean()) < 1e-6


def test_transfer_starts_from_the_weights_at_the_new_level(data_file, tmp_path):
    model = run(recipe(data_file, steps=40), tmp_path / "first")
    shifted = make_frames(offset=-500.0)
    shifted.save(tmp_path / "shifted.npz")
    run(recipe(tmp_path / "shifted.npz"), tmp_path / "second", init_from=model)
    trained = json.loads((tmp_path / "first" / "metrics.json").read_text())["validation"]
    first = losses(tmp_path / "second")[0]
    assert first["energy_mae_meV"] < 5 * trained["energy_mae_meV"] + 100
    run(recipe(data_file), tmp_path / "sliced", init_from=model, max_minutes=1e-9)
    run(recipe(data_file), tmp_path / "sliced", resume=True)
    run(recipe(data_file), tmp_path / "whole", init_from=model)
    assert losses(tmp_path / "sliced") == losses(tmp_path / "whole")


def test_a_run_remembers_which_weights_it_started_from(data_file, tmp_path):
    first = run(recipe(data_file, steps=1), tmp_path / "first")
    other = run(recipe(data_file, steps=1, seed=9), tmp_path / "other")
    assert load_checkpoint(first).provenance["start"] is None
    out = tmp_path / "second"
    run(recipe(data_file, steps=4), out, init_from=first, max_minutes=1e-9)
    with pytest.raises(ConfigError, match=r"did not start from the weights of .*other"):
        run(recipe(data_file, steps=4), out, init_from=other, resume=True)
    for again in (first, None):
        model = run(recipe(data_file, steps=4), out, init_from=again, resume=True, max_minutes=1e-9)
    assert load_checkpoint(model).provenance["start"] == fingerprint(first)


def test_mean_neighbours_come_from_the_training_set(data_file, tmp_path):
    config = load_checkpoint(run(recipe(data_file, steps=1), tmp_path / "run")).config
    sets = load_sets(parse_train_config(recipe(data_file)).data)
    counts = sets.train.n_atoms
    mean = (counts * (counts - 1)).sum() / counts.sum()
    assert config.representation["mean_neighbours"] == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"device": "cuda:99"}, ConfigError, "cuda"),
        ({"potential": {"representation": {"name": "sake2"}}}, ConfigError, "sake2"),
        ({"potential": {"representation": TINY, "elements": [1]}}, DataError, r"elements \[8\]"),
        ({"potential": {"representation": {**TINY, "wide": 3}}}, ConfigError, "wide"),
    ],
)
def test_mistakes_are_refused_before_training(data_file, tmp_path, changes, error, sentence, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(error, match=sentence):
        run(recipe(data_file, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_test_file_replaces_the_test_split(data_file, tmp_path):
    make_frames(seed=8, count=6).save(tmp_path / "test.npz")
    data = {"path": str(data_file), "test_path": str(tmp_path / "test.npz"), "train": 8, "validation": 4}
    sets = load_sets(parse_train_config(recipe(data_file, data=data)).data)
    assert [len(part) for part in sets] == [8, 4, 6]
    with pytest.raises(ConfigError, match="contradict"):
        load_sets(parse_train_config(recipe(data_file, data={**data, "test": 2})).data)


def test_two_processes_do_what_one_does_with_the_joined_batch(tmp_path):
    """Frames of one size fill every batch, so that two batches of 3 are one batch of 6."""
    water = make_frames(count=30)
    water.select(water.groups == "HOH").save(tmp_path / "water.npz")
    data = {"path": str(tmp_path / "water.npz"), "train": 12, "validation": 4}
    loss = {"energy": 0.3, "forces": 0.7}
    one = recipe("", data=data, loss=loss, batch_size=6, steps=5, log_every=1)
    run(one, tmp_path / "one")
    (tmp_path / "two.json").write_text(json.dumps({**one, "batch_size": 3}))
    (tmp_path / "main.py").write_text(ONE_OF_TWO_PROCESSES)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    files = [str(tmp_path / name) for name in ("main.py", "two.json", "two")]
    subprocess.run([*launch, *files], cwd=ROOT, env=_environment(), check=True, timeout=120)
    pairs = list(zip(losses(tmp_path / "one"), losses(tmp_path / "two"), strict=True))
    assert len(pairs) == 7  # five of training, two of validation
    for single, double in pairs:
        assert double["loss"] == pytest.approx(single["loss"], rel=1e-9)
        assert double["force_rmse_meV_per_A"] == pytest.approx(single["force_rmse_meV_per_A"], rel=1e-9)
    one, two = (load_checkpoint(tmp_path / name / "model").potential for name in ("one", "two"))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-7, atol=1e-9)


# Threads that Python does not know belong to the process group; one that outlives it can abort the process at its end.
ONE_OF_TWO_PROCESSES = """
import os, sys, threading
from sakeff.training.config import load_train_config
from sakeff.training.run import train

train(load_train_config(sys.argv[1]), sys.argv[2], show_progress=False)
assert len(os.listdir("/proc/self/task")) == threading.active_count()
"""


def _environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def _wait_for(condition, child, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.02)
