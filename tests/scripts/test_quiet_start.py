"""A non-local start whose messages are those of the local model."""

import sys
from pathlib import Path

import numpy as np
import pytest

from sakeff.checkpoint import load_checkpoint
from sakeff.training.evaluate import evaluate
from tests.scripts.builders import SAKE, SO3KRATES, model
from tests.training.builders import make_frames

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import quiet_start
import same_weights


def run(folder, tmp_path, out, *options):
    data = tmp_path / "frames.npz"
    make_frames().save(data, overwrite=True)
    return quiet_start.main(
        [str(folder), "--kappa", "4.0", "--data", str(data), "--out", str(out), "--steps", "400", *options]
    )


def test_the_start_is_nearer_to_the_local_model_than_its_weights_as_they_are(tmp_path):
    local = model(tmp_path / "local", SO3KRATES)
    assert run(local, tmp_path, tmp_path / "quiet") == 0
    assert same_weights.main([str(local), "--set", "nonlocal_kappa=4.0", "--out", str(tmp_path / "loud")]) == 0
    wanted, quiet, loud = (
        np.concatenate(evaluate(load_checkpoint(tmp_path / name).potential, make_frames()).forces)
        for name in ("local", "quiet", "loud")
    )
    assert np.abs(loud - wanted).mean() > 1e-4
    assert np.abs(quiet - wanted).mean() < 0.5 * np.abs(loud - wanted).mean()


def test_only_the_filters_of_the_geometric_attention_change(tmp_path):
    local = model(tmp_path / "local", SO3KRATES)
    assert run(local, tmp_path, tmp_path / "quiet") == 0
    before = dict(load_checkpoint(local).potential.named_parameters())
    quiet = load_checkpoint(tmp_path / "quiet")
    changed = [name for name, weight in quiet.potential.named_parameters() if not weight.equal(before[name])]
    assert changed
    assert all(".geometric.coefficients.filters." in name for name in changed)
    assert quiet.config.representation["nonlocal_kappa"] == 4.0
    assert "metrics" not in quiet.provenance


def test_the_seed_decides(tmp_path):
    local = model(tmp_path / "local", SO3KRATES)
    for out, seed in (("one", "3"), ("same", "3"), ("other", "4")):
        assert run(local, tmp_path, tmp_path / out, "--seed", seed) == 0
    one, same, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("one", "same", "other"))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("representation", "message"),
    [(SAKE, "nonlocal_kappa"), ({**SO3KRATES, "nonlocal_kappa": 0.5}, "non-local correction already")],
)
def test_a_model_that_is_no_local_so3krates_is_refused(tmp_path, capsys, representation, message):
    assert run(model(tmp_path / "other", representation), tmp_path, tmp_path / "out") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_elements_that_the_model_lacks_are_refused(tmp_path, capsys):
    assert run(model(tmp_path / "local", SO3KRATES, elements=(1, 7)), tmp_path, tmp_path / "out") == 1
    assert "element" in capsys.readouterr().err.lower()
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_refused_before_the_work(tmp_path, capsys):
    local = model(tmp_path / "local", SO3KRATES)
    before = (local / "weights.safetensors").read_bytes()
    assert run(local, tmp_path, local) == 1
    printed = capsys.readouterr().err
    assert "exists already" in printed
    assert "it/s" not in printed
    assert (local / "weights.safetensors").read_bytes() == before
