import pytest
import torch

from sakeff import zoo
from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import CheckpointError
from tests.contract.architectures import SAKE
from tests.helpers import ELEMENTS


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder with one model, a recipe without a model and a stray file."""
    config = parse_potential_config({"elements": ELEMENTS, "representation": SAKE})
    save_checkpoint(tmp_path / "models" / "tiny", build_potential(config), config, {})
    (tmp_path / "models" / "untrained").mkdir()
    (tmp_path / "models" / "untrained" / "recipe.yaml").write_text("")
    monkeypatch.setattr(zoo, "models_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


@pytest.mark.usefixtures("models")
def test_models_are_folders_with_a_checkpoint():
    assert zoo.list_models() == ["tiny"]


def test_names_folders_and_files_resolve(models, tmp_path):
    program = tmp_path / "exported.pt"
    program.write_bytes(b"")
    assert zoo.resolve_model("tiny") == models / "tiny"
    assert zoo.resolve_model(models / "tiny") == models / "tiny"
    assert zoo.resolve_model(str(program)) == program


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("name", ["tony", "untrained", "", "../models/tiny", "."])
def test_unknown_names_list_the_known(name):
    with pytest.raises(CheckpointError, match=r"\['tiny'\]"):
        zoo.resolve_model(name)


def test_the_folder_of_a_run_is_answered_with_that_of_its_model(models, tmp_path):
    (models / "tiny").rename(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"its model is .*model"):
        zoo.resolve_model(tmp_path)


def test_loads_in_evaluation_mode(models):
    potential = zoo.load_potential("tiny")
    assert not potential.training
    expected = load_checkpoint(models / "tiny").potential
    assert all(torch.equal(a, b) for a, b in zip(potential.parameters(), expected.parameters(), strict=True))


@pytest.mark.usefixtures("models")
def test_an_exported_file_is_not_a_checkpoint(tmp_path):
    (tmp_path / "exported.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="give its checkpoint folder"):
        zoo.load_potential(tmp_path / "exported.pt")


@pytest.mark.parametrize("name", zoo.list_models())
def test_bundled_models_say_what_they_are(name):
    provenance = load_checkpoint(zoo.resolve_model(name)).provenance
    keys = {"level_of_theory", "data_sha256", "elements", "charges", "metrics", "code_version", "seed"}
    assert keys <= set(provenance)
    assert provenance["elements"] == zoo.load_potential(name).elements.tolist()
