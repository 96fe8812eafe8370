"""Cards and README tables are what their generators make of the committed numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sakeff.card import CARD_FILE, make_card
from sakeff.checkpoint import read_document
from sakeff.errors import CheckpointError
from sakeff.zoo import list_models, models_folder

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", list_models())
def test_the_card_is_generated(name):
    folder = models_folder() / name
    assert (folder / CARD_FILE).read_text(encoding="utf-8") == make_card(folder)


@pytest.mark.parametrize("name", list_models())
def test_the_card_shows_the_test_error(name):
    test = read_document(models_folder() / name)["provenance"]["metrics"]["test"]
    assert f"{test['force_mae_meV_per_A']:.3g} meV/A" in make_card(models_folder() / name)


def test_the_card_of_a_general_model_says_how_it_relaxes_and_how_stable_it_is():
    folder = models_folder() / "so3krates-gfn2"
    card = make_card(folder)
    relaxed = json.loads((folder.parent / "quality.json").read_text())["models"][folder.name]["relaxations"]
    assert f"| riboflavin, RMSD to the minimum of GFN2-xTB | {relaxed['riboflavin']['rmsd_A']:.3f} A |" in card
    assert "| 9 of 9 stable |" in card
    assert "![" in card


def test_a_model_of_ones_own_has_a_card_too(tmp_path):
    for file in ("config.json", "recipe.yaml"):
        (tmp_path / file).write_bytes((models_folder() / "sake-gfn2" / file).read_bytes())
    for stage in (2, 10):
        (tmp_path / f"recipe_{stage}.yaml").write_text(f"data: {{path: of_{stage}.npz}}\n")
    card = make_card(tmp_path)
    assert "| training data | of_10.npz |" in card  # of the last stage
    assert "recipe.yaml, recipe_2.yaml, recipe_10.yaml" in card
    assert "## Errors" in card
    assert "## Beyond errors" not in card
    assert "![" not in card


def test_a_folder_without_a_checkpoint_has_no_card(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        make_card(tmp_path)


def test_the_tables_of_the_readme_are_generated():
    done = subprocess.run([sys.executable, "scripts/readme_tables.py", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0, "run python scripts/readme_tables.py"
