"""The bundled models are what their metrics say, evaluated again from the committed weights."""

from pathlib import Path

import pytest

from sakeff.checkpoint import load_checkpoint
from sakeff.data.frames import load
from sakeff.data.rmd17 import read_rmd17
from sakeff.export.torchscript import load_program
from sakeff.training.config import load_train_config
from sakeff.training.evaluate import evaluate
from sakeff.zoo import PROGRAM_FILE, list_models, models_folder, resolve_model
from tests.helpers import shared_folder

ETHANOL = shared_folder() / "data" / "rmd17" / "rmd17_ethanol_test_01.npz"
SAMPLE = Path(__file__).resolve().parent / "data" / "gfn2_sample.npz"
EXPECTED = {"so3krates-gfn2", "so3krates-nonlocal-gfn2", "sake-gfn2", "so3krates-md17-ethanol", "sake-md17-ethanol"}
FILES = {"recipe.yaml", "config.json", "weights.safetensors", "program.pt", "card.md", "metrics.json"}


def test_all_models_are_there():
    assert set(list_models()) >= EXPECTED


@pytest.mark.parametrize("name", list_models())
def test_a_model_has_everything_to_use_it_and_to_train_it_again(name):
    assert {path.name for path in (models_folder() / name).iterdir()} >= FILES


@pytest.mark.parametrize("name", list_models())
def test_every_recipe_can_be_read_and_the_last_one_has_the_settings_of_the_model(name):
    paths = sorted((models_folder() / name).glob("recipe*.yaml"), key=lambda path: (len(path.name), path.name))
    stages = [load_train_config(path).potential["representation"] for path in paths]
    trained = load_checkpoint(models_folder() / name).config.representation
    assert {stage["name"] for stage in stages} == {trained["name"]}
    assert stages[-1].items() <= trained.items()


@pytest.mark.parametrize("name", list_models())
def test_the_exported_program_has_the_weights_of_the_checkpoint(name):
    folder = resolve_model(name)
    header = load_program(folder / PROGRAM_FILE).header
    provenance = load_checkpoint(folder).provenance
    assert header.provenance == provenance
    assert header.level_of_theory == provenance["level_of_theory"]


@pytest.mark.skipif(not ETHANOL.is_file(), reason="the rMD17 files are not beside this checkout")
@pytest.mark.parametrize("name", ["so3krates-md17-ethanol", "sake-md17-ethanol"])
def test_ethanol_errors_are_those_of_the_card(name):
    checkpoint = load_checkpoint(resolve_model(name))
    found = evaluate(checkpoint.potential, read_rmd17(ETHANOL, labels="original")).metrics
    assert found == pytest.approx(checkpoint.provenance["metrics"]["test"], rel=0.01)


@pytest.mark.parametrize("name", ["so3krates-gfn2", "so3krates-nonlocal-gfn2", "sake-gfn2"])
def test_general_models_fit_a_sample_of_their_training_set(name):
    """Labels of the sample come from its generator: a wrong unit, sign or reference energy would show."""
    checkpoint = load_checkpoint(resolve_model(name))
    found = evaluate(checkpoint.potential, load(SAMPLE)).metrics
    recorded = checkpoint.provenance["metrics"]["test"]
    assert found["force_mae_meV_per_A"] < 1.1 * recorded["force_mae_meV_per_A"]
    assert found["energy_mae_meV_per_atom"] < 1.1 * recorded["energy_mae_meV_per_atom"]
