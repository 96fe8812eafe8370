"""The start of a non-local model: the weights of a local one, the correction switched on."""

import sys
from pathlib import Path

import pytest
import torch

from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.training.evaluate import evaluate
from tests.training.builders import make_frames

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import with_nonlocal

SO3KRATES = {
    "name": "so3krates",
    "width": 8,
    "layers": 2,
    "heads": 2,
    "degrees": [1, 2],
    "basis_size": 4,
    "cutoff": 3.0,
}
SAKE = {"name": "sake", "width": 8, "layers": 1, "cutoff": 3.0}


def model(folder, representation):
    config = parse_potential_config({"elements": [1, 6, 8], "representation": representation})
    potential = build_potential(config, seed=3).to(torch.float64)
    save_checkpoint(folder, potential, config, {"level_of_theory": "none", "metrics": {"test": {"force_mae": 1.0}}})
    return folder


def energies(folder):
    return evaluate(load_checkpoint(folder).potential, make_frames()).energy


def test_the_weights_are_those_of_the_local_model_and_the_correction_is_on(tmp_path):
    local = model(tmp_path / "local", SO3KRATES)
    for kappa in ("1e-6", "4.0"):  # with the first, no pair is close enough
        assert with_nonlocal.main([str(local), "--kappa", kappa, "--out", str(tmp_path / kappa)]) == 0
    assert energies(tmp_path / "1e-6") == pytest.approx(energies(local), abs=1e-12)
    assert abs(energies(tmp_path / "4.0") - energies(local)).max() > 1e-4
    checkpoint = load_checkpoint(tmp_path / "4.0")
    assert checkpoint.config.representation["nonlocal_kappa"] == 4.0
    assert "metrics" not in checkpoint.provenance  # the errors of the local model are not its own


@pytest.mark.parametrize("representation", [SAKE, {**SO3KRATES, "nonlocal_kappa": 1.0}])
def test_other_models_are_refused(tmp_path, capsys, representation):
    other = model(tmp_path / "other", representation)
    assert with_nonlocal.main([str(other), "--out", str(tmp_path / "out")]) == 1
    assert "not a local So3krates model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
