"""The data set generator: a run can be resumed, what is added is merged, and old files are kept."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import make_gfn2_dataset as generator
from ase import Atoms
from gfn2 import curated, labels, molecules, splits

from sakeff.data.frames import Frames, load
from sakeff.engines.ase import SAKECalculator
from sakeff.errors import DataError

RIBOFLAVIN = "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(C[C@H](O)[C@H](O)[C@H](O)CO)c2cc1C"


def test_shards_of_test_structures_are_refused(tmp_path):
    with pytest.raises(DataError, match="kept for tests"):
        generator.make_shard(molecules.Molecule(RIBOFLAVIN, 40), tmp_path, 1)
    assert not list(tmp_path.iterdir())


def _run(out: Path, *more: str) -> int:
    return generator.main(["generate", "--out", str(out), "--workers", "1", *more])


def test_generate_resumes_and_repeats(tmp_path, monkeypatch):
    tiny = [molecules.Molecule("O", 12), molecules.Molecule("O.[H][H]", 12)]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    assert _run(tmp_path, "--molecules", "1") == 0
    shards = tmp_path / "shards"
    (first,) = shards.glob("*.npz")
    stamp = first.stat().st_mtime_ns
    assert _run(tmp_path) == 0
    assert first.stat().st_mtime_ns == stamp
    assert len(list(shards.glob("*.npz"))) == 2
    frames = load(first)
    assert len(frames) >= 6
    assert set(frames.groups) == {"O"}
    assert frames.level_of_theory.startswith("GFN2-xTB (tblite")
    report = json.loads(first.with_suffix(".json").read_text())
    assert report["frames"] == len(frames)
    assert _run(tmp_path / "classical", "--molecules", "1", "--geometries", "classical") == 0
    (moved,) = (tmp_path / "classical" / "shards").glob("*.npz")
    assert moved.name == first.name
    assert load(moved).sha256() != frames.sha256()
    assert _run(tmp_path / "again", "--every", "2") == 0  # of two entries the first, too
    (again,) = (tmp_path / "again" / "shards").glob("*.npz")
    assert again.name == first.name
    assert load(again).sha256() == frames.sha256()


def test_merge_splits_by_molecule_and_keeps_old_files(tmp_path, monkeypatch, capsys):
    tiny = [molecules.Molecule(smiles, 6) for smiles in ("O", "N", "C")]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    sides = dict(zip(("O", "N", "C"), generator.SPLITS, strict=True))
    monkeypatch.setattr(splits, "assign", lambda entries, seed: sides)
    merge = ["merge", "--out", str(tmp_path)]
    assert generator.main(merge) == 1
    assert "no shards for train, valid, test" in capsys.readouterr().err
    assert _run(tmp_path) == 0
    capsys.readouterr()
    assert generator.main(merge) == 0
    summary = json.loads(capsys.readouterr().out)
    for smiles, name in sides.items():
        frames = load(tmp_path / f"{name}.npz")
        assert set(frames.groups) == {smiles}
        assert summary[name]["frames"] == len(frames)
        assert summary[name]["sha256"] == frames.sha256()
    assert generator.main(merge) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main([*merge, "--overwrite"]) == 0
    monkeypatch.setattr(generator, "analogues", lambda count, seed: [molecules.Molecule("CO", 6)][:count])
    assert _run(tmp_path, "--analogues", "1") == 0
    assert generator.main([*merge, "--overwrite"]) == 0
    assert set(load(tmp_path / "train.npz").groups) == {"O", "CO"}


def test_explore_labels_what_models_dispute_and_merge_trains_on_it(tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    explore = ["explore", "--out", str(tmp_path), "--models", "so3krates-gfn2", "sake-gfn2", "--candidates", "12"]
    assert generator.main([*explore, "--keep", "3"]) == 0
    explored = load(tmp_path / "explored.npz")
    assert set(explored.groups) == {"O.O"}
    assert explored.n_atoms.tolist() == [6, 6, 6]
    energy, forces = labels.energy_and_forces(explored.numbers[:6], explored.positions[:6])
    assert explored.energy[0] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(explored.forces[:6], forces, atol=1e-5)
    assert generator.main([*explore, "--keep", "3"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    after = load(tmp_path / "train.npz")
    assert len(after) == len(before) + 3
    assert set(load(tmp_path / "test.npz").groups) == {"C"}


def test_twins_are_labelled_and_merge_trains_on_them(tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    command = ["twins", "--out", str(tmp_path), "--count", "3"]
    assert generator.main(command) == 0
    placed = load(tmp_path / "twins.npz")
    assert {name.replace(".", "") for name in placed.groups} <= {"O" * n for n in range(2, 7)}
    first = placed.frame(0)
    energy, forces = labels.energy_and_forces(first.numbers, first.positions)
    assert placed.energy[0] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(first.forces, forces, atol=1e-5)
    assert generator.main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    assert len(load(tmp_path / "train.npz")) == len(before) + 3


@pytest.mark.parametrize("kind", ["chains", "flavins"])
def test_larger_molecules_carry_the_labels_of_their_teacher_and_are_merged(kind, tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    command = [kind, "--out", str(tmp_path), "--count", "2", "--teacher", "so3krates-gfn2"]
    assert generator.main(command) == 0
    taught = load(tmp_path / f"{kind}.npz")
    assert len(set(taught.groups)) <= 2
    assert set(taught.n_atoms) <= set(range(24, 56))
    assert not any(molecules.forbidden_in(str(name)) for name in taught.group_names)
    first = taught.frame(0)
    atoms = Atoms(first.numbers, first.positions, calculator=SAKECalculator("so3krates-gfn2"))
    assert first.energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    np.testing.assert_allclose(first.forces, atoms.get_forces(), atol=1e-3)
    assert generator.main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    assert len(load(tmp_path / "train.npz")) == len(before) + len(taught)


def test_strands_of_all_residues_are_labelled(tmp_path, monkeypatch):
    monkeypatch.setattr(curated, "RESIDUES", curated.RESIDUES[:2])
    assert generator.main(["strands", "--out", str(tmp_path), "--count", "1"]) == 0
    labelled = load(tmp_path / "strands.npz")
    assert set(labelled.groups) == {molecules.canonical(smiles) for smiles in curated.RESIDUES}
    energy, forces = labels.energy_and_forces(labelled.frame(3).numbers, labelled.frame(3).positions)
    assert labelled.energy[3] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(labelled.frame(3).forces, forces, atol=1e-5)


def test_focus_keeps_backbones_and_larger_molecules_and_a_share_of_anything_else(tmp_path, capsys):
    backbone, larger = molecules.canonical(curated.RESIDUES[0]), molecules.canonical("CC(=O)" + "NC(C)C(=O)" * 3 + "N")
    names = np.array(["O", "N", "N.O", backbone, "CO.O", larger, "CO", "O.O.O"])
    sizes = np.array([3, 3, 3, 3, 3, 24, 3, 24])  # twins may be large, too
    numbers = [np.array([8, 1, 1] * (size // 3)) for size in sizes]
    labelled = [np.random.default_rng(1).normal(size=(size, 3)) for size in sizes]
    train = Frames.build(numbers, labelled, labelled, np.arange(8.0), "a level", groups=names)
    train.save(tmp_path / "train.npz")
    assert generator.main(["focus", "--out", str(tmp_path)]) == 0
    focused = load(tmp_path / "focus.npz")
    assert len(focused) == 4
    assert set(names) > set(focused.groups) > {backbone, larger}
    assert "2 of them backbones or larger" in capsys.readouterr().out
    assert generator.main(["focus", "--out", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "2", "--overwrite"]) == 0
    more = load(tmp_path / "focus.npz")
    assert len(more) == 6
    assert set(more.groups) > set(focused.groups)
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "0", "--walls", "--overwrite"]) == 0
    assert set(load(tmp_path / "focus.npz").groups) == {backbone, larger, "N.O"}
    assert "3 of them backbones, larger or walls" in capsys.readouterr().out
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "-1", "--overwrite"]) == 1
    assert "give 0 or more" in capsys.readouterr().err


def _trained_on_water(folder: Path, monkeypatch) -> Frames:
    """A small merged set that holds out ammonia and methane; its training frames."""
    tiny = [molecules.Molecule(smiles, 6) for smiles in ("O", "N", "C")]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    monkeypatch.setattr(splits, "assign", lambda entries, seed: {"O": "train", "N": "valid", "C": "test"})
    assert _run(folder) == 0
    assert generator.main(["merge", "--out", str(folder)]) == 0
    return load(folder / "train.npz")
