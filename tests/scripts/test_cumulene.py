"""The cumulene rotors: geometries, errors of profiles, the command, and that the committed documents agree."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import cumulene
from rotors import document, profiles
from rotors.geometry import Rotor, dihedral, ideal_rotor, name_of

from sakeff.config import build_potential, parse_potential_config
from sakeff.data.frames import Frames, load
from sakeff.training.evaluate import evaluate

DOCS = Path(__file__).parents[2] / "docs"
LONG = Rotor((1.31, 1.27, 1.28, 1.33), 1.08, 116.0)
ANGLES = np.arange(0.0, 181.0, 15.0)


def distance(positions, i, j):
    return np.linalg.norm(positions[i] - positions[j])


@pytest.mark.parametrize("asked", [0.0, 37.5, 90.0, 180.0])
def test_lengths_and_angles_are_those_asked_for(asked):
    positions = LONG.positions(asked)
    assert LONG.numbers.tolist() == [6] * 5 + [1] * 4
    for k, bond in enumerate(LONG.bonds):
        assert distance(positions, k, k + 1) == pytest.approx(bond, abs=1e-12)
    assert distance(positions, 0, 4) == pytest.approx(sum(LONG.bonds), abs=1e-12), "straight"
    for carbon, first, second in ((0, 5, 6), (4, 7, 8)):
        arms = positions[[first, second]] - positions[carbon]
        np.testing.assert_allclose(np.linalg.norm(arms, axis=1), LONG.hydrogen, atol=1e-12)
        assert np.degrees(np.arccos(arms[0] @ arms[1] / LONG.hydrogen**2)) == pytest.approx(LONG.angle, abs=1e-9)
        assert distance(positions, first, 2) > distance(positions, first, carbon), "hydrogens point outwards"
    assert dihedral(positions) == pytest.approx(asked, abs=1e-6)


def test_dihedrals_are_those_of_another_library():
    ase = pytest.importorskip("ase")
    shaken = LONG.positions(50.0) + np.random.default_rng(3).normal(scale=0.05, size=(9, 3))
    expected = ase.Atoms(LONG.numbers, shaken).get_dihedral(5, 0, 4, 7)
    assert dihedral(shaken) == pytest.approx(min(expected, 360.0 - expected), abs=1e-9)


def test_turning_is_rigid_for_each_end():
    """Everything but distances between hydrogens of different ends stays."""
    before, after = LONG.positions(10.0), LONG.positions(80.0)
    within = [*range(5), 5, 6], [*range(5), 7, 8]
    for atoms in within:
        tables = [np.linalg.norm(p[atoms][:, None] - p[atoms], axis=-1) for p in (before, after)]
        np.testing.assert_allclose(tables[0], tables[1], atol=1e-12)
    assert abs(distance(before, 5, 7) - distance(after, 5, 7)) > 0.05


def test_scan_angles_are_not_in_the_training_set():
    gap = np.abs(cumulene.SCAN_ANGLES[:, None] - cumulene.TRAINING_ANGLES).min(axis=1)
    np.testing.assert_allclose(gap, 2.5)
    assert cumulene.SCAN_ANGLES.min() < 5 < 175 < cumulene.SCAN_ANGLES.max()


def test_error_of_a_profile_is_free_of_constants_and_in_mev():
    reference = np.array([0.0, 1.0, 2.0, 1.0])
    assert profiles.profile_error(reference + 7.0, reference) == pytest.approx(0.0, abs=1e-9)
    assert profiles.profile_error(np.zeros(4), reference) == pytest.approx(1000 * np.sqrt(0.5))
    wrong = reference + np.array([0.1, -0.1, 0.1, -0.1])
    assert profiles.profile_error(wrong, reference) == pytest.approx(100.0)
    assert profiles.height(reference) == 2000.0


def frames_of(angles, energies):
    rotors = {n: ideal_rotor(n) for n in (3, 5)}
    numbers = [rotor.numbers for rotor in rotors.values() for _ in angles]
    positions = [rotor.positions(angle) for rotor in rotors.values() for angle in angles]
    names = [name_of(n) for n in rotors for _ in angles]
    rng = np.random.default_rng(1)
    forces = [rng.normal(size=one.shape) for one in positions]
    return Frames.build(numbers, positions, forces, energies, "made up", groups=names)


def test_profiles_are_sorted_by_angle_and_kept_apart():
    angles = [120.0, 30.0, 60.0]
    frames = frames_of(angles, np.arange(6.0))
    found = profiles.profiles_of(frames, frames.energy)
    assert list(found) == ["C3H4", "C5H4"]
    np.testing.assert_allclose(found["C5H4"].angles, [30.0, 60.0, 120.0], atol=1e-6)
    assert found["C5H4"].energies.tolist() == [4.0, 5.0, 3.0]


@pytest.mark.parametrize("n_carbons", [5, 9])
def test_the_local_recipe_cannot_see_the_dihedral_and_the_other_can(n_carbons):
    """Random weights in float64: one is flat to rounding, the other is not."""
    rotor = ideal_rotor(n_carbons)
    heights = {}
    for name, config in cumulene.recipes().items():
        sizes = config.potential["representation"]
        potential = build_potential(parse_potential_config({"elements": [1, 6], "representation": sizes}), seed=1)
        positions = [rotor.positions(angle) for angle in ANGLES]
        zeros = [np.zeros_like(one) for one in positions]
        frames = Frames.build([rotor.numbers] * len(ANGLES), positions, zeros, np.zeros(len(ANGLES)), "none")
        heights[name] = np.ptp(evaluate(potential.double(), frames).energy)
    assert heights["local"] < 1e-11
    assert heights["nonlocal"] > 1e-5


def test_the_recipes_differ_in_the_non_local_correction_alone():
    one, other = (config.model_dump() for config in cumulene.recipes().values())
    sizes = other["potential"]["representation"]
    assert sizes.pop("nonlocal_kappa") > 0
    assert one == other
    assert (sizes["cutoff"], sizes["layers"], sizes["degrees"]) == (2.5, 4, [1])


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Recipes that train for four steps on a few made-up labels."""
    data = tmp_path / "data"
    rng = np.random.default_rng(0)
    frames_of(ANGLES, rng.normal(size=2 * len(ANGLES))).save(data / "frames.npz")
    frames_of(ANGLES + 1.0, rng.normal(size=2 * len(ANGLES))).save(data / "scan.npz")
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    for name in cumulene.MODELS:
        recipe = yaml.safe_load((cumulene.RECIPES / f"{name}.yaml").read_text())
        recipe["data"].update(path=str(data / "frames.npz"), train=16, validation=4)
        recipe["potential"]["representation"].update(width=8, layers=1, basis_size=4, filter_width=8)
        recipe.update(steps=4, validate_every=2, log_every=2)
        (recipes / f"{name}.yaml").write_text(yaml.safe_dump(recipe))
    monkeypatch.setattr(cumulene, "RECIPES", recipes)
    return tmp_path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["cumulene.py", *map(str, arguments)])
    return cumulene.main()


def test_one_command_trains_what_is_missing_and_writes_all_documents(small, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra [train])")
    runs, docs = small / "runs", small / "docs"
    local = ["train", small / "recipes" / "local.yaml", "--out", runs / "local"]
    assert run(monkeypatch, *local, "--max-minutes", 1e-9) == 0
    assert not json.loads((runs / "local" / "metrics.json").read_text())["finished"]
    command = ["table", "--runs", runs, "--docs", docs]
    assert run(monkeypatch, *command, "--only-finished") == 1
    assert "nonlocal holds no trained model" in capsys.readouterr().err
    assert run(monkeypatch, *command) == 0
    found = json.loads((docs / "cumulene.json").read_text())
    assert {model["steps"] for model in found["models"].values()} == {4}
    assert (docs / "cumulene.md").read_text() == document.as_markdown(found)
    assert (docs / "cumulene.png").read_bytes().startswith(b"\x89PNG")
    before = (runs / "nonlocal" / "metrics.jsonl").stat().st_mtime_ns
    assert run(monkeypatch, *command, "--only-finished") == 0
    assert (runs / "nonlocal" / "metrics.jsonl").stat().st_mtime_ns == before
    assert json.loads((docs / "cumulene.json").read_text()) == found
    capsys.readouterr()


def test_generated_labels(tmp_path, monkeypatch, capsys):
    """The minimum is perpendicular and relaxed, the scan symmetric about it, equal seeds give equal frames."""
    pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")
    from gfn2.labels import energy_and_forces
    from rotors.frames import relaxed_rotor

    rotor = relaxed_rotor(3)
    assert np.abs(energy_and_forces(rotor.numbers, rotor.positions(90.0))[1]).max() < 2e-3
    monkeypatch.setattr(cumulene, "CARBONS", (3,))
    monkeypatch.setattr(cumulene, "TRAINING_ANGLES", np.array([60.0]))
    monkeypatch.setattr(cumulene, "SCAN_ANGLES", np.array([45.0, 90.0, 135.0]))
    for name in ("one", "two"):
        assert run(monkeypatch, "generate", "--out", tmp_path / name, "--copies", 3, "--seed", 5) == 0
    assert run(monkeypatch, "generate", "--out", tmp_path / "one") == 1, "existing files are kept"
    frames, scan = (load(tmp_path / "one" / f"{name}.npz") for name in ("frames", "scan"))
    assert frames.sha256() == load(tmp_path / "two" / "frames.npz").sha256()
    assert len(frames) == 3
    np.testing.assert_allclose(scan.energy[0], scan.energy[2], atol=1e-6)
    assert scan.energy[0] - scan.energy[1] > 0.5
    noise = frames.positions.reshape(3, 7, 3) - rotor.positions(60.0)
    assert 0.5 * cumulene.NOISE < noise.std() < 1.5 * cumulene.NOISE
    capsys.readouterr()


@pytest.fixture(scope="module")
def committed():
    return json.loads((DOCS / "cumulene.json").read_text())


def test_committed_documents_agree(committed):
    assert (DOCS / "cumulene.md").read_text() == document.as_markdown(committed)
    for name, config in cumulene.recipes().items():
        assert committed["models"][name]["representation"] == config.potential["representation"]
        assert committed["models"][name]["steps"] == config.steps
    assert [name_of(n) for n in cumulene.CARBONS] == list(committed["reference"])


def test_committed_errors_are_those_of_the_committed_profiles(committed):
    for model in committed["models"].values():
        for name, found in model["profiles"].items():
            reference = committed["reference"][name]
            np.testing.assert_allclose(reference["angles"], cumulene.SCAN_ANGLES, atol=1e-3)
            error = profiles.profile_error(np.array(found["energies"]), np.array(reference["energies"]))
            assert found["rmse_meV"] == pytest.approx(error, abs=0.02)


def test_committed_models_show_what_the_paper_shows(committed):
    """From five carbons on the local model is flat, and the non-local one at least three times closer."""
    local, far = (committed["models"][name]["profiles"] for name in cumulene.MODELS)
    for name in ("C5H4", "C7H4", "C9H4"):
        assert local[name]["height_meV"] < 0.01 * committed["reference"][name]["height_meV"]
        assert local[name]["rmse_meV"] > 3.0 * far[name]["rmse_meV"]
