"""The same weights under other settings, as the start of a training."""

import sys
from pathlib import Path

import pytest
import torch

from sakeff.checkpoint import load_checkpoint
from sakeff.training.evaluate import evaluate
from tests.scripts.builders import SAKE, SO3KRATES, model
from tests.training.builders import make_frames

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import same_weights


def energies(folder):
    return evaluate(load_checkpoint(folder).potential, make_frames()).energy


def run(folder, out, *settings):
    return same_weights.main([str(folder), "--set", *settings, "--out", str(out)])


def test_a_local_model_with_the_non_local_correction_on(tmp_path):
    local = model(tmp_path / "local", SO3KRATES)
    for kappa in ("1.0e-6", "4.0"):  # with the first, no pair is close enough
        assert run(local, tmp_path / kappa, f"nonlocal_kappa={kappa}") == 0
    assert energies(tmp_path / "1.0e-6") == pytest.approx(energies(local), abs=1e-12)
    assert abs(energies(tmp_path / "4.0") - energies(local)).max() > 1e-4
    checkpoint = load_checkpoint(tmp_path / "4.0")
    assert checkpoint.config.representation["nonlocal_kappa"] == 4.0
    assert "metrics" not in checkpoint.provenance  # the errors of the local model are not its own


def test_another_envelope(tmp_path):
    steep = model(tmp_path / "steep", SAKE)
    assert run(steep, tmp_path / "mild", "envelope_exponent=3") == 0
    mild = load_checkpoint(tmp_path / "mild").potential
    for name, weight in load_checkpoint(steep).potential.named_parameters():
        assert torch.equal(weight, mild.get_parameter(name))
    assert abs(energies(tmp_path / "mild") - energies(steep)).max() > 1e-4


def test_the_mean_of_two_models(tmp_path):
    one, two = model(tmp_path / "one", SO3KRATES), model(tmp_path / "two", SO3KRATES, seed=4)
    assert same_weights.main([str(one), str(two), "--set", "nonlocal_kappa=0.2", "--out", str(tmp_path / "out")]) == 0
    mixed = load_checkpoint(tmp_path / "out")
    assert mixed.config.representation["nonlocal_kappa"] == 0.2
    first, second = (dict(load_checkpoint(path).potential.named_parameters()) for path in (one, two))
    for name, weight in mixed.potential.named_parameters():
        assert torch.allclose(weight, (first[name] + second[name]) / 2, rtol=0, atol=1e-15)


def test_models_of_other_elements_have_no_mean(tmp_path, capsys):
    one, two = model(tmp_path / "one", SAKE), model(tmp_path / "two", SAKE, elements=(1, 6, 7))
    arguments = [str(one), str(two), "--set", "envelope_exponent=3", "--out", str(tmp_path / "out")]
    assert same_weights.main(arguments) == 1
    assert "different elements" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "message"),
    [(["width=16"], "do not fit"), (["exponent=3"], "exponent"), (["envelope_exponent=2"], "envelope exponent is 2")],
)
def test_what_does_not_fit_is_refused(tmp_path, capsys, settings, message):
    other = model(tmp_path / "other", SAKE)
    assert run(other, tmp_path / "out", *settings) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
