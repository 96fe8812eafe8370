"""Lines along which two small molecules approach: where they lead, what they are labelled with, and who is left out."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import make_gfn2_dataset as generator
from ase import Atoms
from gfn2 import approaches, geometry, labels, sampling

from sakeff.data.frames import concatenate, load
from sakeff.engines.ase import SAKECalculator


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.fixture
def rigid(monkeypatch):
    monkeypatch.setattr(approaches, "RIGID", 1.0)


def _gaps(frames: list[approaches.Labelled], first: int) -> np.ndarray:
    """Distances between the centroids of the first atoms and of the others."""
    return np.array([np.linalg.norm(p[:first].mean(axis=0) - p[first:].mean(axis=0)) for p, _, _ in frames])


def _helium_line(rng: np.random.Generator) -> list[approaches.Labelled]:
    return approaches._line(np.array([2, 2]), np.zeros((1, 3)), np.zeros((1, 3)), generator.MAX_FORCE, rng)


def test_lines_go_from_six_angstrom_into_the_wall_at_even_steps(rng, rigid):
    numbers, frames = approaches.lines("C.O", 1, generator.MAX_FORCE, rng)
    gaps = _gaps(frames, 5)
    above = np.array([energy for _, energy, _ in frames]) - frames[0][1]
    assert numbers.tolist() == [6, 1, 1, 1, 1, 8, 1, 1]
    assert approaches.FARTHEST - approaches.STEP <= gaps[0] <= approaches.FARTHEST
    np.testing.assert_allclose(np.diff(gaps), -approaches.STEP, atol=1e-9)
    assert 2.0 < above.max() <= approaches.TOP


def test_molecules_of_a_line_are_moved_and_otherwise_stay_as_they_are(rng, rigid):
    _, frames = approaches.lines("N.N#N", 1, generator.MAX_FORCE, rng)
    for part in (slice(0, 4), slice(4, 6)):
        inner = np.array([p[part] - p[part].mean(axis=0) for p, _, _ in frames])
        np.testing.assert_allclose(inner, inner[:1].repeat(len(inner), axis=0), atol=1e-9)


def test_labels_are_those_of_gfn2_xtb(rng):
    numbers, frames = approaches.lines("O.O", 1, generator.MAX_FORCE, rng)
    for positions, energy, forces in (frames[0], frames[-1]):
        expected, pulling = labels.energy_and_forces(numbers, positions)
        assert energy == pytest.approx(expected, abs=1e-6)
        np.testing.assert_allclose(forces, pulling, atol=1e-5)


def test_every_line_has_an_orientation_of_its_own_and_some_are_shaken(rng):
    _, frames = approaches.lines("O.O", 12, generator.MAX_FORCE, rng)
    gaps = _gaps(frames, 3)
    starts = [0, *(np.flatnonzero(np.diff(gaps) > 1.0) + 1)]
    bonds = np.array([np.linalg.norm(frames[k][0][0] - frames[k][0][1]) for k in starts])
    assert len(starts) == 12
    at_rest = np.isclose(bonds, np.median(bonds), atol=1e-6)
    assert 0 < at_rest.sum() < 12
    inner = np.array([frames[k][0][3] - frames[k][0][4] for k in starts])
    assert len(np.unique(inner.round(6), axis=0)) == 12


def test_a_line_ends_soon_behind_the_top_of_a_wall_that_falls(rng, monkeypatch):
    heights = iter([0.0, 0.1, 1.0, 0.9, 1.1, 0.8, 0.7, 0.6])
    monkeypatch.setattr(sampling, "energy_and_forces", lambda numbers, p: (next(heights), np.zeros_like(p)))
    assert [energy for _, energy, _ in _helium_line(rng)] == [0.0, 0.1, 1.0, 0.9, 1.1, 0.8]


def test_a_line_ends_where_the_charges_do_not_converge(rng, monkeypatch):
    def fails(numbers, positions):
        raise labels.SCFError("no convergence")

    monkeypatch.setattr(sampling, "energy_and_forces", fails)
    assert _helium_line(rng) == []


def test_a_line_ends_where_forces_are_too_large(rng, rigid):
    _, frames = approaches.lines("O.O", 3, 5.0, rng)
    largest = max(np.linalg.norm(forces, axis=1).max() for _, _, forces in frames)
    assert 1.0 < largest < 5.0


def test_held_out_pairs_are_left_out():
    everything = approaches.pairs(set())
    assert len(everything) == 15
    assert approaches.pairs({"O.O"}) == [smiles for smiles in everything if smiles != "O.O"]


def test_the_command_labels_each_pair_and_repeats_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(approaches, "pairs", lambda held_out: ["O.O", "N#N.O"])
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert generator.main(["approaches", "--out", str(tmp_path / name), "--count", "1"]) == 0
    one, two = (load(tmp_path / name / generator.APPROACHES) for name in ("one", "two"))
    assert set(one.groups) == {"O.O", "N#N.O"}
    assert one.sha256() == two.sha256()
    assert one.forces.shape == one.positions.shape
    assert generator.main(["approaches", "--out", str(tmp_path / "one"), "--count", "1"]) == 1


def test_a_last_stage_keeps_the_walls_of_gfn2_and_the_rest_of_its_teacher(tmp_path, capsys):
    numbers, frames = approaches.lines("O.O", 1, generator.MAX_FORCE, np.random.default_rng(3))
    walls = generator._shard(numbers, frames, "O.O")
    water = generator._shard(numbers[:3], [(p[:3], 0.0, f[:3]) for p, _, f in frames], "O")
    mol, (start,) = geometry.embed("CCCCCCCC", 1, 3)  # of 26 atoms: all of these are kept
    octane = generator._shard(geometry.atomic_numbers(mol), [(start, 0.0, np.zeros_like(start))] * 2, "CCCCCCCC")
    walls.save(tmp_path / generator.APPROACHES)
    concatenate([water, octane, walls]).save(tmp_path / "train.npz")
    command = ["retain", "--out", str(tmp_path), "--teacher", "so3krates-gfn2", "--count", "4"]
    assert generator.main(command) == 0
    retained = load(tmp_path / generator.RETAIN)
    assert f"{len(walls) + 6} frames, 6 of them with labels of so3krates-gfn2" in capsys.readouterr().out
    assert list(retained.groups) == ["O"] * 4 + ["CCCCCCCC"] * 2 + ["O.O"] * len(walls)
    np.testing.assert_allclose(retained.energy[6:], walls.energy)
    first = retained.frame(0)
    atoms = Atoms(first.numbers, first.positions, calculator=SAKECalculator("so3krates-gfn2"))
    assert first.energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    np.testing.assert_allclose(first.forces, atoms.get_forces(), atol=1e-3)
    assert generator.main(command) == 1
    assert "exists already" in capsys.readouterr().err
