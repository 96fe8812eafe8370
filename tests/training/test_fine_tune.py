"""Fine-tuning without a recipe, and what a recipe may say about the model that a run starts from."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from sakeff import SAKECalculator
from sakeff.checkpoint import load_checkpoint
from sakeff.data.frames import Frames
from sakeff.errors import CheckpointError, ConfigError, DataError
from sakeff.training import build
from sakeff.training.build import load_sets, pretrained_model
from sakeff.training.config import parse_train_config
from sakeff.training.evaluate import evaluate
from sakeff.training.fine_tune import fine_tuning_config
from sakeff.training.run import train
from tests.small_models import REPRESENTATIONS, small_model
from tests.training.builders import make_frames, recipe


@pytest.fixture
def model(tmp_path):
    return small_model(tmp_path / "model")


def test_the_fractions_fit_any_number_of_frames(tmp_path):
    for count in range(1, 41):
        path = tmp_path / f"{count}.npz"
        make_frames(count=count).save(path)
        sets = load_sets(fine_tuning_config([path]).data)
        assert sum(map(len, sets)) == count
        assert len(sets.train) == pytest.approx(0.8 * count, abs=0.51)


def test_several_files_and_options_of_the_reader(tmp_path):
    config = fine_tuning_config([tmp_path / "a.xyz", tmp_path / "b.xyz"], {"energy_key": "E"})
    assert config.data.path == [str(tmp_path / "a.xyz"), str(tmp_path / "b.xyz")]
    assert config.data.options == {"energy_key": "E"}
    assert config.potential is None


def test_only_a_model_stands_in_for_a_potential(data_file, tmp_path):
    with pytest.raises(ConfigError, match="no potential"):
        train(fine_tuning_config([data_file]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_model_is_taken_with_its_energies_at_the_new_level(data_file, model, frames):
    tuned = pretrained_model(model, fine_tuning_config([data_file]), frames)
    start = load_checkpoint(model)
    assert tuned.config.representation == start.config.representation
    before, after = start.potential.state_dict(), tuned.potential.state_dict()
    changed = [key for key in before if not before[key].equal(after[key])]
    assert changed == ["embedding.vectors.weight", "reference.energies"]
    assert after["embedding.vectors.weight"].equal(before["embedding.vectors.weight"][[0, 3]])  # H and O
    error = evaluate(tuned.potential, frames).energy - frames.energy
    for name in ("OH", "HOH"):
        assert abs(error[frames.groups == name].mean()) < 1e-5


def test_a_few_frames_with_every_element_show_the_new_level(data_file, model, monkeypatch):
    frames = make_frames(count=40)
    monkeypatch.setattr(build, "SHOWN", 3)
    seen = []
    monkeypatch.setattr(
        build, "evaluate", lambda potential, shown, size: seen.append(shown) or evaluate(potential, shown)
    )
    pretrained_model(model, fine_tuning_config([data_file]), frames)
    assert len(seen[0]) <= 3 + len(np.unique(frames.numbers))
    np.testing.assert_array_equal(np.unique(seen[0].numbers), np.unique(frames.numbers))


@pytest.mark.parametrize(
    ("potential", "sentence"),
    [
        ({"representation": {**REPRESENTATIONS["so3krates"], "width": 24}}, "width: 24 where .* has 12"),
        ({"representation": REPRESENTATIONS["sake"]}, "name: sake where .* has so3krates"),
        ({"elements": [1, 8], "representation": REPRESENTATIONS["so3krates"]}, "elements"),
    ],
)
def test_a_recipe_that_describes_another_potential_is_refused(data_file, model, frames, potential, sentence):
    config = parse_train_config(recipe(data_file, potential=potential))
    with pytest.raises(ConfigError, match=sentence):
        pretrained_model(model, config, frames)


def test_a_recipe_that_describes_the_same_potential_is_taken(data_file, model, frames):
    config = parse_train_config(recipe(data_file, potential={"representation": REPRESENTATIONS["so3krates"]}))
    assert pretrained_model(model, config, frames).config.elements == [1, 8]


def test_a_tuned_model_refuses_elements_that_its_data_never_had(data_file, model, frames):
    """Their reference energies would be those of another level of theory."""
    tuned = pretrained_model(model, fine_tuning_config([data_file]), frames)
    assert set(tuned.potential.reference.energies.nonzero().flatten().tolist()) == {1, 8}
    methane = Frames.build([np.array([6, 1])], [np.eye(2, 3)], [np.ones((2, 3))], [0.0], "none")
    with pytest.raises(DataError, match=r"elements \[6\]"):
        evaluate(tuned.potential, methane)


def test_an_element_that_only_the_test_set_has_is_refused(data_file, model, tmp_path):
    methane = Frames.build([np.array([6, 1])], [np.eye(2, 3)], [np.ones((2, 3))], [0.0], "springs")
    methane.save(tmp_path / "test.npz")
    data = {"path": str(data_file), "test_path": str(tmp_path / "test.npz"), "train": 8, "validation": 2}
    config = parse_train_config(recipe(data_file, data=data, potential=None))
    with pytest.raises(DataError, match=r"elements \[6\]"):
        train(config, tmp_path / "run", init_from=model)


@pytest.mark.parametrize("name", ["charge", "spin"])
def test_frames_of_several_charges_or_spins_are_refused(tmp_path, name):
    """No representation reads them: one energy would be asked to be two."""
    mixed = replace(make_frames(count=12), **{name: np.arange(12.0) % 2})
    mixed.save(tmp_path / "mixed.npz")
    with pytest.raises(DataError, match=f"several values of {name} \\(0, 1\\)"):
        train(parse_train_config(recipe(tmp_path / "mixed.npz")), tmp_path / "run")


def test_radicals_of_one_kind_are_trained_and_evaluated(tmp_path):
    radicals = replace(make_frames(count=20), spin=np.ones(20))
    radicals.save(tmp_path / "radicals.npz")
    model = train(parse_train_config(recipe(tmp_path / "radicals.npz", steps=2)), tmp_path / "run", show_progress=False)
    atoms = Atoms(radicals.frame(0).numbers, radicals.frame(0).positions, info={"spin": 1})
    assert np.isfinite(SAKECalculator(model).get_potential_energy(atoms))


def test_reference_energies_are_not_asked_for_in_vain(data_file, model, frames):
    config = parse_train_config(recipe(data_file, potential=None, reference_energies={1: -5.0}))
    with pytest.raises(ConfigError, match="leave reference_energies out"):
        pretrained_model(model, config, frames)


def test_elements_that_the_model_does_not_know_and_models_that_do_not_exist(data_file, model, tmp_path):
    fluorine = Frames.build([np.array([9, 1])] * 2, [np.eye(2, 3)] * 2, [np.ones((2, 3))] * 2, [0.0, 1.0], "none")
    with pytest.raises(DataError, match=r"elements \[9\]"):
        pretrained_model(model, fine_tuning_config([data_file]), fluorine)
    with pytest.raises(CheckpointError, match="give a checkpoint folder"):
        train(fine_tuning_config([data_file]), tmp_path / "run", init_from="nothing")
    assert not (tmp_path / "run").exists()
