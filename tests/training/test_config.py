import json

import pytest
import yaml

from sakeff.errors import ConfigError
from sakeff.training.config import load_train_config, parse_train_config
from tests.training.builders import recipe


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_both_formats_give_the_same(tmp_path, suffix):
    path = tmp_path / f"train{suffix}"
    document = recipe("data.npz")
    path.write_text(json.dumps(document) if suffix == ".json" else yaml.safe_dump(document))
    assert load_train_config(path) == parse_train_config(document)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"batchsize": 4}, "batchsize"),
        ({"loss": {"energies": 1.0}}, "loss.energies"),
        ({"loss": {"energy": -1.0}}, "loss.energy"),
        ({"batch_size": 0}, "batch_size"),
        ({"epochs": 3}, "steps or as epochs"),
        ({"steps": None}, "steps or as epochs"),
        ({"schedule": {"name": "exponential"}}, "half_life"),
        ({"schedule": {"name": "cosine", "half_life": 10}}, "half_life"),
        ({"dtype": "float16"}, "dtype"),
        ({"data": {"path": "a.npz"}}, "data.train"),
    ],
)
def test_mistakes_are_named(changes, key):
    with pytest.raises(ConfigError, match=key):
        parse_train_config(recipe("data.npz", **changes))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", ""])
def test_files_that_are_no_configuration(tmp_path, text):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_train_config(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_train_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text", ["steps: 3\nsteps: 4\n", "optimizer: {learning_rate: 1.0e-3, learning_rate: 1.0e-4}\n"]
)
def test_a_key_that_is_given_twice(tmp_path, text):
    path = tmp_path / "train.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"'(steps|learning_rate)' is given twice"):
        load_train_config(path)
