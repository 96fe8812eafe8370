"""Frames of one molecule: relaxations, bridges, normal modes, and what is dropped."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from ase import Atoms
from gfn2 import geometry, labels, sampling


def test_broken_graphs_are_dropped_and_counted():
    mol, (start,) = geometry.embed("O", 1, 3)
    numbers, pairs = np.array([8, 1, 1]), geometry.bonds(mol)
    torn = geometry.scale_bond(mol, start, (0, 1), 2.0)
    clash = geometry.scale_bond(mol, start, (0, 1), 0.3)
    samples = [sampling.Sample(start), sampling.Sample(torn), sampling.Sample(clash, intact=False)]
    kept, dropped = sampling.labelled(numbers, pairs, samples, max_force=30.0)
    assert len(kept) == 1
    assert dropped == {"broken graph": 1, "no SCF convergence": 0, "force too large": 1}


def test_paths_of_turned_rotors_lead_downhill():
    mol, (start,) = geometry.embed("NC=O", 1, 3)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    minimum = sampling.relaxation(numbers, start)[-1]
    kept = len(sampling.PATH_STEPS)
    frames = sampling.torsion_paths(mol, numbers, [minimum], 2 * kept, np.random.default_rng(4))
    assert kept < len(frames) <= 2 * kept
    energies = [labels.energy_and_forces(numbers, positions)[0] for positions in frames[:2]]
    assert energies[0] > energies[1]
    assert sampling.torsion_paths(mol, numbers, [minimum], 0, np.random.default_rng(4)) == []


def test_strands_have_their_backbone_stretched():
    mol, (start,) = geometry.embed("CC(N)C(=O)NC(C)C=O", 1, 3)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    phis, psis = geometry.backbone(mol)
    assert (len(phis), len(psis)) == (1, 2)
    assert [numbers[list(atoms)].tolist() for atoms in phis] == [[6, 7, 6, 6]]
    assert sorted(numbers[list(atoms)].tolist() for atoms in psis) == [[7, 6, 6, 1], [7, 6, 6, 7]]
    kept = len(sampling.STRAND_STEPS)
    frames = sampling.strand_paths(mol, numbers, [start], 3 * kept, np.random.default_rng(4))
    assert 2 * kept < len(frames) <= 3 * kept
    for atoms, (low, high) in [(atoms, sampling.STRAND[0]) for atoms in phis] + [(a, sampling.STRAND[1]) for a in psis]:
        angles = np.array([Atoms(numbers, positions).get_dihedral(*atoms) for positions in frames])
        drift = np.abs((angles - (low + high) / 2 + 180) % 360 - 180) - (high - low) / 2
        assert drift.max() < 25  # degrees, on the way downhill


def test_bridges_carry_their_hydrogen_from_one_end_to_the_other():
    # water, its hydrogen pointing along x to the nitrogen of an ammonia
    numbers = np.array([8, 1, 1, 7, 1, 1, 1])
    positions = np.array(
        [[0, 0, 0], [0.96, 0, 0], [-0.3, 0.9, 0], [2.9, 0, 0], [3.3, 0.9, 0], [3.3, -0.5, 0.8], [3.3, -0.5, -0.8]]
    )
    pairs = np.array([[0, 1], [0, 2], [3, 4], [3, 5], [3, 6]])
    assert geometry.hydrogen_bridges(numbers, positions, pairs) == [(0, 1, 3)]
    frames = np.stack(sampling.bridge_samples(numbers, [positions], pairs, 200, np.random.default_rng(6)))
    length = np.linalg.norm(frames[:, 3] - frames[:, 0], axis=1)
    assert 2.1 < length.min() < 2.4 < 3.0 < length.max() < 3.3
    assert np.linalg.norm(frames[:, 1] - frames[:, 0], axis=1).min() < 1.1
    assert np.linalg.norm(frames[:, 1] - frames[:, 3], axis=1).min() < 1.1
    ammonia = np.linalg.norm(frames[:, 4:] - frames[:, 3:4], axis=-1)
    assert np.abs(ammonia - np.linalg.norm(positions[4:] - positions[3], axis=-1)).max() < 0.3
    for shift in (9.0, -0.7):  # no bridge, and one shorter than those drawn
        moved = positions + np.array([shift, 0.0, 0.0]) * (np.arange(7) >= 3)[:, None]
        assert sampling.bridge_samples(numbers, [moved], pairs, 5, np.random.default_rng(6)) == []


def test_normal_modes_of_water():
    _, (start,) = geometry.embed("O", 1, 3)
    numbers = np.array([8, 1, 1])
    minimum = sampling.relaxation(numbers, start)[-1]
    stiffness, _ = sampling.normal_modes(numbers, minimum)
    assert stiffness.shape == (3,)
    # wavenumbers of water with GFN2-xTB: one bend near 1540, two stretches near 3650 per cm
    wavenumbers = np.sqrt(stiffness) * 521.47
    assert 1400 < wavenumbers[0] < 1700
    assert np.all((wavenumbers[1:] > 3400) & (wavenumbers[1:] < 3900))
