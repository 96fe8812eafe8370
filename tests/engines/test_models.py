import pytest
import torch

from sakeff.checkpoint import save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.engines.models import open_model, structure_errors
from sakeff.errors import CheckpointError, ConfigError, NeighbourError, StructureError
from sakeff.export.torchscript import export_program
from tests.contract.architectures import SO3KRATES
from tests.helpers import ELEMENTS

CONFIG = parse_potential_config({"elements": ELEMENTS, "representation": SO3KRATES})
PROVENANCE = {"level_of_theory": "GFN2-xTB", "charges": [0, 1]}


@pytest.fixture
def potential():
    return build_potential(CONFIG, seed=2)


def test_a_folder_brings_its_charges(potential, tmp_path):
    save_checkpoint(tmp_path / "model", potential, CONFIG, PROVENANCE)
    for where in (tmp_path / "model", str(tmp_path / "model")):
        opened = open_model(where, "float64")
        assert opened.header.charges == [0.0, 1.0]
        assert opened.header.dtype == "float64"
        assert opened.header.level_of_theory == "GFN2-xTB"


def test_a_potential_counts_as_neutral(potential):
    opened = open_model(potential, "float32", skin=0.3)
    assert opened.header.charges == [0.0]
    assert opened.header.skin == 0.3


def test_a_file_fixes_dtype_and_skin(potential, tmp_path):
    path = tmp_path / "program.pt"
    export_program(potential, path, PROVENANCE, skin=0.4, dtype="float32")
    assert open_model(path, "float64").header.dtype == "float32"
    assert open_model(path, "float64", "float32", 0.4).header.skin == 0.4
    with pytest.raises(ConfigError, match="float32"):
        open_model(path, "float64", "float64")
    with pytest.raises(ConfigError, match=r"skin of 0\.4"):
        open_model(path, "float64", skin=0.5)


def test_unknown_names(tmp_path):
    with pytest.raises(CheckpointError, match="no-such-model"):
        open_model("no-such-model", "float64")
    with pytest.raises(CheckpointError):
        open_model(tmp_path, "float64")


def test_unknown_precision(potential):
    with pytest.raises(ConfigError, match="half"):
        open_model(potential, "float64", "half")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_missing_device(potential):
    with pytest.raises(ConfigError, match="cuda"):
        open_model(potential, "float64", device="cuda")


def test_unknown_device(potential):
    with pytest.raises(ConfigError, match="warp"):
        open_model(potential, "float64", device="warp drive")


def test_errors_of_lists_become_errors_of_structures():
    with pytest.raises(StructureError, match="too long"), structure_errors():
        raise NeighbourError("too long")


def test_other_errors_of_torchscript_stay():
    @torch.jit.script
    def divide(x: int) -> int:
        return 1 // x

    with pytest.raises(RuntimeError, match="division by 0"), structure_errors():
        divide(0)
