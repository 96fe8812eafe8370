"""Frames that MMFF94 moves and GFN2-xTB labels."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import make_gfn2_dataset as generator
from ase import Atoms
from gfn2 import classical, geometry, molecules, sampling


def test_forces_of_the_force_field_are_those_of_the_positions_asked_for():
    mol, (start,) = geometry.embed("CC(=O)NC", 1, 3)
    atoms = Atoms(geometry.atomic_numbers(mol), classical.relaxed(mol, start), calculator=classical.ForceField(mol))
    assert np.abs(atoms.get_forces()).max() < 0.01
    moved = atoms.positions + np.random.default_rng(1).normal(scale=0.03, size=start.shape)
    atoms.positions = moved
    forces = atoms.get_forces()  # before the energy of these positions has been asked for
    for index in ((0, 0), (3, 1), (8, 2)):
        energies = []
        for step in (1e-4, -1e-4):
            atoms.positions = moved
            atoms.positions[index] += step
            energies.append(atoms.get_potential_energy())
        assert forces[index] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-4)


def test_two_atoms_are_pulled_together_and_nothing_breaks():
    mol, (start,) = geometry.embed("OCCCCN", 1, 3)
    assert np.linalg.norm(start[0] - start[5]) > 4.0
    pulled = classical.pulled_together(mol, start, (0, 5), 2.9)
    assert np.linalg.norm(pulled[0] - pulled[5]) < 3.0
    assert geometry.keeps_graph(geometry.atomic_numbers(mol), pulled, geometry.bonds(mol))
    far = classical.pulled_together(mol, start, (0, 5), 9.0)  # they are nearer already
    np.testing.assert_allclose(far, classical.relaxed(mol, start, 500), atol=1e-6)


def test_classical_samples_of_a_molecule_and_of_a_complex():
    alanine = molecules.Molecule("CC(N)C(=O)O", 40)
    numbers, pairs, samples = classical.sample(alanine, np.random.default_rng(1))
    assert len(samples) == 20
    kept, dropped = sampling.labelled(numbers, pairs, samples, generator.MAX_FORCE)
    assert len(kept) >= 18, dropped
    rms = np.sqrt(np.mean([np.mean(forces**2) for _, _, forces in kept]))
    assert 0.5 < rms < 3.0  # eV/A: warm, not torn apart
    dimer = molecules.Molecule("C=O.O", 40, bridge_frames=20)
    numbers, pairs, samples = classical.sample(dimer, np.random.default_rng(1))
    assert numbers.tolist() == [6, 8, 1, 1, 8, 1, 1]
    assert 20 <= len(samples) <= 25
    again = classical.sample(dimer, np.random.default_rng(1))[2]
    np.testing.assert_array_equal([one.positions for one in again], [one.positions for one in samples])
