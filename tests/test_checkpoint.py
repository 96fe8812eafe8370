import json
import shutil

import pytest
import torch

from sakeff.checkpoint import CONFIG_FILE, WEIGHTS_FILE, load_checkpoint, save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import CheckpointError, ConfigError, OutputError, OutputExistsError
from tests.contract.architectures import ARCHITECTURES
from tests.helpers import ELEMENTS, ethanol, evaluate

PROVENANCE = {
    "level_of_theory": "none, random weights",
    "data_sha256": "0" * 64,
    "elements": ELEMENTS,
    "charges": [0],
    "metrics": {"force_mae_meV_per_A": 1.5},
    "code_version": "0.0.0",
    "seed": 3,
}


def config_of(name):
    return parse_potential_config({"elements": ELEMENTS, "representation": ARCHITECTURES[name].representation})


@pytest.fixture
def folder(tmp_path):
    """A checkpoint that is whole."""
    config = config_of("sake")
    save_checkpoint(tmp_path / "model", build_potential(config, 3), config, PROVENANCE)
    return tmp_path / "model"


def edit(folder, change):
    path = folder / CONFIG_FILE
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_gives_the_same_bits(tmp_path, name, dtype):
    config = config_of(name)
    potential = build_potential(config, 3).to(dtype).eval()
    potential.reference.energies[6] = -1035.123456789012
    potential.reference.scale.fill_(1 / 3)
    save_checkpoint(tmp_path / "model", potential, config, PROVENANCE)
    loaded = load_checkpoint(tmp_path / "model")
    assert loaded.config == config
    assert not loaded.potential.training
    before, after = evaluate(potential, ethanol()), evaluate(loaded.potential, ethanol())
    assert after.forces.dtype == dtype
    assert torch.equal(after.energy, before.energy)
    assert torch.equal(after.forces, before.forces)


def test_provenance_comes_back_with_units(folder):
    assert load_checkpoint(folder).provenance == {**PROVENANCE, "units": "eV, angstrom"}


def test_training_goes_on_from_a_loaded_potential(folder):
    potential = load_checkpoint(folder).potential.train()
    assert all(parameter.requires_grad for parameter in potential.parameters())


def test_nothing_is_overwritten_unasked(folder):
    config = config_of("so3krates")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(OutputExistsError, match="exists already"):
        save_checkpoint(folder, build_potential(config), config, PROVENANCE)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    save_checkpoint(folder, build_potential(config), config, PROVENANCE, overwrite=True)
    assert load_checkpoint(folder).config == config


def test_weights_that_remain_without_config_are_not_overwritten_either(folder):
    (folder / CONFIG_FILE).unlink()
    config = config_of("sake")
    with pytest.raises(OutputExistsError):
        save_checkpoint(folder, build_potential(config), config, PROVENANCE)


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    config = config_of("sake")
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(tmp_path / "file" / "model", build_potential(config), config, PROVENANCE)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "no folder": (lambda f: shutil.rmtree(f), "does not exist"),
    "no config": (lambda f: (f / CONFIG_FILE).unlink(), "does not exist"),
    "no weights": (lambda f: (f / WEIGHTS_FILE).unlink(), "cannot be read"),
    "truncated config": (lambda f: truncate(f / CONFIG_FILE), "is damaged"),
    "binary config": (lambda f: (f / CONFIG_FILE).write_bytes(b"\xff\xfe\x00"), "is damaged"),
    "config is a list": (lambda f: (f / CONFIG_FILE).write_text("[]"), "has format None"),
    "truncated weights": (lambda f: truncate(f / WEIGHTS_FILE), "is damaged or belongs to another"),
    "changed weights": (lambda f: flip_a_byte(f / WEIGHTS_FILE), "is damaged or belongs to another"),
    "other version": (lambda f: edit(f, lambda d: d.update(format="sakeff-checkpoint-9")), "checkpoint-9"),
    "missing key": (lambda f: edit(f, lambda d: d.pop("weights_sha256")), "lacks .*weights_sha256"),
    "wrong units": (lambda f: edit(f, lambda d: d["provenance"].update(units="hartree, bohr")), "hartree, bohr"),
    "other width": (lambda f: edit(f, lambda d: d["potential"]["representation"].update(width=8)), "do not fit"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named(folder, damage):
    spoil, message = DAMAGE[damage]
    spoil(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_unknown_configuration_key(folder):
    edit(folder, lambda document: document["potential"].update(temperature=300))
    with pytest.raises(ConfigError, match="temperature"):
        load_checkpoint(folder)


@pytest.mark.parametrize("part", ["potential", "provenance"])
@pytest.mark.parametrize("value", [None, [], "text"])
def test_parts_of_the_wrong_kind(folder, part, value):
    edit(folder, lambda document: document.update({part: value}))
    with pytest.raises((CheckpointError, ConfigError)):
        load_checkpoint(folder)


def test_a_checkpoint_holds_no_pickle(folder):
    assert {path.name for path in folder.iterdir()} == {CONFIG_FILE, WEIGHTS_FILE}
    json.loads((folder / CONFIG_FILE).read_text())
    assert b"\x80\x04" not in (folder / WEIGHTS_FILE).read_bytes()[:16]
