"""The committed page is that of the committed numbers, and they say that compiling pays with the same gradient."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import training_speed

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def document():
    return json.loads((DOCS / "training_speed.json").read_text(encoding="utf-8"))


def test_the_page_shows_the_document(document):
    assert training_speed.as_markdown(document) == (DOCS / "training_speed.md").read_text(encoding="utf-8")


def test_the_losses_are_the_same(document):
    assert list(document["models"]) == list(training_speed.cases())
    for row in document["models"].values():
        assert row["loss_difference"] < 1e-5
        assert row["gradient_difference"] < 1e-4


def test_what_was_measured_are_the_recipes_of_today(document):
    for name, config in training_speed.cases().items():
        assert document["models"][name]["recipe_sha256"] == training_speed.fingerprint(config), name
