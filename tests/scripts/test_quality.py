"""The comparison with GFN2-xTB: the committed document, its tables, and how it is made."""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import quality
from evaluations import references
from evaluations.approach import (
    Approach,
    attraction_error,
    has_hole,
    largest_fall,
)
from evaluations.tables import quality_tables, total_rmse
from evaluations.transfer import barrier, energies_along

from sakeff import SAKECalculator
from sakeff.drivers.relax import rmsd
from sakeff.errors import DataError
from sakeff.structures import load_structure
from sakeff.zoo import fingerprint, list_models
from tests.small_models import small_model

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "models" / "quality.json"
MODELS = set(quality.GENERAL)


@pytest.fixture(scope="module")
def document():
    return quality.read_document(DOCUMENT)


def test_the_document_is_about_the_bundled_models(document):
    assert set(document["models"]) >= MODELS
    for name, entry in document["models"].items():
        assert name in list_models()
        assert entry["weights_sha256"] == fingerprint(name)
        assert entry["references_sha256"] == references.fingerprint(references.FOLDER)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_scan_once_more(document, name):
    scan, entry = references.read_pairs(references.FOLDER)[0], document["models"][name]["pairs"][0]
    energies, _ = Approach(scan.first, scan.second, SAKECalculator(name))(scan.distances)
    np.testing.assert_allclose(energies, entry["energies_eV"], atol=5e-6)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_transfer_once_more(document, name):
    transfer = references.read_transfers(references.FOLDER)[0]
    entry = document["models"][name]["transfers"][0]
    energies = energies_along(transfer.atoms, transfer.bridge, SAKECalculator(name))
    np.testing.assert_allclose(energies - energies[0], entry["energies_eV"], atol=5e-6)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_numbers_follow_from_the_energies(document, name):
    entry = document["models"][name]
    for scan, one in zip(references.read_pairs(references.FOLDER), entry["pairs"], strict=True):
        energies = np.array(one["energies_eV"])
        assert (one["pair"], one["orientation"]) == (scan.pair, scan.orientation)
        error = attraction_error(scan.distances, energies, scan.energies, scan.contact)
        assert one["attraction_rmse_eV"] == pytest.approx(error, abs=2e-6)
        assert one["hole"] >= has_hole(energies, scan.energies)
        assert one["fall_inside_contact_eV"] >= largest_fall(scan.distances, energies, scan.contact) - 2e-6
    for reference, one in zip(references.read_molecules(references.FOLDER), entry["molecules"], strict=True):
        mae = np.abs(np.array(one["frequencies_per_cm"]) - reference.frequencies).mean()
        assert one["frequency_mae_per_cm"] == pytest.approx(mae, abs=0.01)
    for transfer, one in zip(references.read_transfers(references.FOLDER), entry["transfers"], strict=True):
        assert one["gfn2_barrier_eV"] == pytest.approx(barrier(transfer.energies), abs=2e-6)
        assert one["barrier_eV"] == pytest.approx(barrier(np.array(one["energies_eV"])), abs=2e-6)


def test_tables_show_the_document(document):
    text = quality_tables(document)
    for name, entry in document["models"].items():
        assert f"| `{name}` | {entry['relaxations']['riboflavin']['rmsd_A']:.3f}" in text
        assert f"| {1000 * total_rmse(entry['pairs']):.1f} |" in text
        deepest = min(one["minimum_eV"] for one in entry["pairs"] if one["pair"] == "CO-CO")
        assert f"| {1000 * deepest:.0f}, " in text
        lowest = min(one["barrier_eV"] for one in entry["transfers"])
        assert f"| `{name}` | 8 | {lowest:.2f} |" in text
    assert "| GFN2-xTB | 0 | 0 | 0 | -1.241 |" in text
    assert text.count("\n| H2O-") == 5


def test_a_model_that_is_half_done_is_in_no_table(document):
    name = sorted(MODELS)[0]
    half = {"models": {**document["models"], "half/model": {"relaxations": {}}}}
    assert quality_tables(half) == quality_tables(document)
    assert f"`{name}`" in quality_tables(half)


def test_a_finished_document_is_kept(tmp_path, capsys):
    out = tmp_path / "quality.json"
    shutil.copy(DOCUMENT, out)
    published = {path: path.stat().st_mtime_ns for path in quality.DOCS.iterdir()}
    assert quality.main(["--out", str(out)]) == 0
    assert out.read_bytes() == DOCUMENT.read_bytes()
    assert all((tmp_path / name).stat().st_size > 10_000 for name in ("pairs.png", "overlay.png"))
    page = (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == page.strip()
    assert page == (quality.DOCS / "quality.md").read_text(encoding="utf-8")
    assert {path: path.stat().st_mtime_ns for path in quality.DOCS.iterdir()} == published  # of other documents


def test_the_distances_are_those_of_the_relaxed_positions(document):
    for entry in document["models"].values():
        for name, relaxed in entry["relaxations"].items():
            minimum = load_structure(f"{name}_gfn2")
            found = rmsd(Atoms(minimum.numbers, relaxed["positions_A"]), minimum)
            assert relaxed["rmsd_A"] == pytest.approx(found, abs=2e-4)


def test_parts_are_made_once_for_the_same_weights(tmp_path):
    folder, calls = small_model(tmp_path / "runs" / "model"), []
    parts = {"first": lambda calculator: calls.append("first"), "second": lambda calculator: calls.append("second")}
    options = argparse.Namespace(out=tmp_path / "quality.json", references=references.FOLDER)
    quality.assess(str(folder), {"first": parts["first"]}, quality.read_document(options.out), options)
    quality.assess(str(folder), parts, quality.read_document(options.out), options)
    assert calls == ["first", "second"]
    shutil.rmtree(folder)
    small_model(tmp_path / "runs" / "model", "sake")
    quality.assess(str(folder), parts, quality.read_document(options.out), options)
    assert calls == ["first", "second"] * 2
    assert list(json.loads(options.out.read_text())["models"]) == ["runs/model"]


def test_a_users_mistakes(tmp_path, capsys):
    assert quality.main(["--models", "nonsense", "--out", str(tmp_path / "quality.json")]) == 2
    assert "No model 'nonsense'" in capsys.readouterr().err
    for text in ("no json", '{"format": 99}', "[]"):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(DataError, match="choose another --out"):
            quality.read_document(tmp_path / "other.json")
