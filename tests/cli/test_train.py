"""`sakeff train`: fine-tuning in one line, and what does not go together."""

import json

import ase.io
import pytest
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from click.testing import CliRunner

from sakeff import zoo
from sakeff.checkpoint import load_checkpoint
from sakeff.cli import main
from sakeff.data.read import read_frames
from sakeff.training import fine_tune
from tests.small_models import REPRESENTATIONS, small_model
from tests.training.builders import make_frames

STEPS = 12


@pytest.fixture(autouse=True)
def bundled(tmp_path, monkeypatch):
    """A bundled model called "small", and a short built-in recipe."""
    monkeypatch.setattr(zoo, "models_folder", lambda: tmp_path / "models")
    monkeypatch.setitem(fine_tune.FINE_TUNING, "steps", STEPS)
    return small_model(tmp_path / "models" / "small")


@pytest.fixture
def data(tmp_path):
    """An extended XYZ file as ASE writes it."""
    frames, structures = make_frames(), []
    for start, end, energy in zip(frames.offsets[:-1], frames.offsets[1:], frames.energy, strict=True):
        atoms = Atoms(frames.numbers[start:end], frames.positions[start:end])
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=frames.forces[start:end])
        structures.append(atoms)
    ase.io.write(tmp_path / "my.extxyz", structures, format="extxyz")
    return tmp_path / "my.extxyz"


def run(*arguments, code=0):
    result = CliRunner().invoke(main, ["train", *map(str, arguments), "--quiet"])
    assert result.exit_code == code, result.output + str(result.exception)
    return result.output if code == 0 else result.stderr


def metrics(out):
    return json.loads((out / "metrics.json").read_text())


def test_a_bundled_name_and_a_file_are_enough(bundled, data, tmp_path):
    out = tmp_path / "tuned"
    assert str(out / "model") in run("--from", "small", "--data", data, "--out", out)
    assert metrics(out)["steps"] == STEPS
    assert metrics(out)["test"]["frames"] == 1
    tuned, start = load_checkpoint(out / "model"), load_checkpoint(bundled)
    assert tuned.config.representation == start.config.representation
    assert tuned.config.elements == sorted(set(read_frames(data).numbers.tolist()))
    pairs = zip(tuned.potential.parameters(), start.potential.parameters(), strict=True)
    assert any(one.shape == other.shape and not one.equal(other) for one, other in pairs)


def test_a_folder_does_as_well_and_train_json_is_the_recipe(bundled, data, tmp_path):
    run("--from", bundled, "--data", data, "--option", "level_of_theory=springs", "--out", tmp_path / "first")
    assert load_checkpoint(tmp_path / "first" / "model").provenance["level_of_theory"] == "springs"
    run(tmp_path / "first" / "train.json", "--from", bundled, "--out", tmp_path / "second")
    first, second = metrics(tmp_path / "first"), metrics(tmp_path / "second")
    assert first["test"] == second["test"]


def test_fine_tuning_resumes_with_the_same_line(data, tmp_path):
    line = ["--from", "small", "--data", data, "--out"]
    run(*line, tmp_path / "sliced", "--max-minutes", 1e-9)
    assert not metrics(tmp_path / "sliced")["finished"]
    run(*line, tmp_path / "sliced", "--resume")
    run(*line, tmp_path / "whole")
    assert metrics(tmp_path / "sliced")["test"] == metrics(tmp_path / "whole")["test"]
    assert "exists already" in run(*line, tmp_path / "whole", code=2)


def test_what_does_not_go_together_is_refused(data, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    document = {"data": {"path": str(data), "train": 8, "validation": 2}, "steps": 2}
    recipe.write_text(yaml.safe_dump(document))
    out = ["--out", tmp_path / "out"]
    assert "names its own data" in run(recipe, "--data", data, *out, code=2)
    assert "names its own data" in run(recipe, "--option", "energy_key=E", *out, code=2)
    assert "nothing to train on" in run("--from", "small", *out, code=2)
    assert "name a model with --from" in run("--data", data, *out, code=2)
    assert "no potential" in run(recipe, *out, code=2)
    assert "No model 'other'" in run("--from", "other", "--data", data, *out, code=2)
    recipe.write_text(yaml.safe_dump({**document, "potential": {"representation": REPRESENTATIONS["sake"]}}))
    assert "the recipe's potential" in run(recipe, "--from", "small", *out, code=2)
    assert not (tmp_path / "out").exists()


def test_files_that_cannot_be_learned_from_are_refused(data, tmp_path):
    structures = ase.io.read(data, ":")
    for atoms in structures:
        atoms.calc = SinglePointCalculator(atoms, energy=atoms.get_potential_energy())
    ase.io.write(tmp_path / "no_forces.extxyz", structures, format="extxyz")
    line = ["--from", "small", "--out", tmp_path / "out", "--data"]
    assert "has no forces" in run(*line, tmp_path / "no_forces.extxyz", code=2)
    for atoms in structures:
        atoms.calc = SinglePointCalculator(atoms, energy=0.0, forces=atoms.positions)
        atoms.numbers[0] = 9
    ase.io.write(tmp_path / "fluorine.extxyz", structures, format="extxyz")
    assert "does not know the elements [9]" in run(*line, tmp_path / "fluorine.extxyz", code=2)
    assert "does not exist" in run(*line, tmp_path / "missing.extxyz", code=2)
    assert "KEY=VALUE" in run(*line, data, "--option", "energy_key", code=2)
    assert not (tmp_path / "out").exists()
