"""Ablations: variants that differ in one thing, runs that go on, and tables in the cards."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import ablations
import comparison

from sakeff.card import ABLATIONS_FILE, CARD_FILE, ablation_table, make_card
from sakeff.config import build_potential, parse_potential_config
from sakeff.training.config import parse_train_config
from sakeff.zoo import models_folder
from tests.training.builders import TINY, make_frames, recipe

SMALLER = {"as it is": {}, "basis of 2": ablations.in_representation(basis_size=2)}


@pytest.mark.parametrize("name", list(ablations.MODELS))
def test_variants_can_be_built_and_differ(name):
    plans = ablations.plans(name)
    documents = [json.dumps(config.fixed_on_resume(), sort_keys=True) for config in plans.values()]
    assert len(set(documents)) == len(plans)
    for config in plans.values():
        build_potential(parse_potential_config({"elements": [1, 6, 8], **config.potential}))
    folders = {ablations.folder_of(Path("runs"), name, change) for change in plans}
    assert len(folders) == len(plans)


@pytest.mark.parametrize("name", list(ablations.MODELS))
def test_all_variants_see_as_many_molecules_of_the_same_split(name):
    plans = ablations.plans(name).values()
    assert {config.batch_size * config.steps for config in plans} == {8 * ablations.STEPS}
    assert {config.data.model_dump_json() for config in plans} == {comparison.recipes()[name].data.model_dump_json()}


def test_a_change_touches_one_thing():
    base = comparison.recipes()["sake"]
    plain = ablations.variant(base, {}).model_dump()
    changed = ablations.variant(base, {"optimizer.weight_decay": 0.5}).model_dump()
    assert changed["optimizer"].pop("weight_decay") == 0.5
    plain["optimizer"].pop("weight_decay")
    assert changed == plain


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A tiny recipe with two variants, and a copy of the models that the tables belong to."""
    make_frames().save(tmp_path / "train.npz")
    config = parse_train_config(recipe(tmp_path / "train.npz", potential={"representation": TINY}))
    monkeypatch.setattr(ablations, "STEPS", 6)
    monkeypatch.setattr(ablations, "VARIANTS", {"sake": SMALLER})
    monkeypatch.setattr(ablations, "MODELS", {"sake": "sake-md17-ethanol"})
    monkeypatch.setattr(comparison, "recipes", lambda: {"sake": config})
    model = tmp_path / "models" / "sake-md17-ethanol"
    shutil.copytree(models_folder() / "sake-md17-ethanol", model, ignore=shutil.ignore_patterns(ABLATIONS_FILE))
    return tmp_path


def test_tables_show_what_is_trained_and_what_is_not(places, capsys):
    runs, model = places / "runs", places / "models" / "sake-md17-ethanol"
    plans = ablations.plans("sake")
    ablations.write_tables(runs, places / "docs", places / "models")
    assert not (model / ABLATIONS_FILE).exists()
    assert "Not trained yet" in (places / "docs" / "ablations.md").read_text()
    comparison.complete(plans["as it is"], ablations.folder_of(runs, "sake", "as it is"))
    ablations.write_tables(runs, places / "docs", places / "models")
    rows = json.loads((model / ABLATIONS_FILE).read_text())["rows"]
    metrics = json.loads((runs / "sake" / "as-it-is" / "metrics.json").read_text())
    assert rows[0]["test"] == metrics["test"]["force_mae_meV_per_A"]
    assert rows[1] == {"change": "basis of 2"}
    card = (model / CARD_FILE).read_text()
    assert card == make_card(model)
    assert f"| as it is | {rows[0]['validation']:.1f} | {rows[0]['test']:.1f} |" in card
    assert "| basis of 2 | not trained | not trained |" in card
    ablations.train_missing("sake", runs)
    ablations.write_tables(runs, places / "docs", places / "models")
    page = (places / "docs" / "ablations.md").read_text()
    assert "not trained" not in page
    assert ablation_table(json.loads((model / ABLATIONS_FILE).read_text())).strip() in page
    capsys.readouterr()


def test_errors_of_runs_that_are_elsewhere_are_kept_unless_the_protocol_is_another(places, monkeypatch, capsys):
    model = places / "models" / "sake-md17-ethanol"
    ablations.train_missing("sake", places / "runs")
    ablations.write_tables(places / "runs", places / "docs", places / "models")
    table = (model / ABLATIONS_FILE).read_text()
    ablations.write_tables(places / "nothing here", places / "docs", places / "models")
    assert (model / ABLATIONS_FILE).read_text() == table
    monkeypatch.setattr(ablations, "STEPS", 12)
    ablations.write_tables(places / "nothing here", places / "docs", places / "models")
    assert "Not trained yet" in (places / "docs" / "ablations.md").read_text()
    capsys.readouterr()
