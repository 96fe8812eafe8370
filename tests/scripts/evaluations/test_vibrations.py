"""Harmonic frequencies of toys with known ones."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from scipy import constants
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from evaluations import references
from evaluations.comparisons import molecules
from evaluations.vibrations import frequencies, hessian

CODATA = 1e-8  # ASE and SciPy take their constants from different editions


class Springs(Calculator):
    """0.5 k (r - r0)^2 of the given pairs."""

    implemented_properties = ("energy", "forces")

    def __init__(self, pairs, stiffness, length):
        super().__init__()
        self.pairs, self.stiffness, self.length = pairs, stiffness, length

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for i, j in self.pairs:
            vector = atoms.positions[j] - atoms.positions[i]
            distance = np.linalg.norm(vector)
            energy += 0.5 * self.stiffness * (distance - self.length) ** 2
            pull = self.stiffness * (distance - self.length) * vector / distance
            forces[i] += pull
            forces[j] -= pull
        self.results = {"energy": energy, "forces": forces}


def wave_number(stiffness, mass):
    """1/cm, from SI constants alone."""
    newton_per_metre = stiffness * constants.e * 1e20
    return np.sqrt(newton_per_metre / (mass * constants.atomic_mass)) / (2 * np.pi * constants.c * 100)


def test_diatomic():
    atoms = Atoms("CO", [[0.0, 0.0, 0.0], [1.13, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], 118.0, 1.13)
    reduced = atoms.get_masses().prod() / atoms.get_masses().sum()
    assert frequencies(atoms) == pytest.approx([wave_number(118.0, reduced)], rel=CODATA)
    assert 2000 < frequencies(atoms)[0] < 2300


def test_triangle_turned_and_moved():
    """Equal masses: one breathing mode, 3k/m, and two deformations, 3k/2m."""
    corners = np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0], [0.55, 1.1 * np.sqrt(0.75), 0.0]])
    positions = Rotation.random(rng=np.random.default_rng(0)).apply(corners) + 5.0
    atoms = Atoms("N3", positions)
    atoms.calc = Springs([(0, 1), (1, 2), (0, 2)], 40.0, 1.1)
    mass = atoms.get_masses()[0]
    expected = [wave_number(1.5 * 40.0, mass)] * 2 + [wave_number(3 * 40.0, mass)]
    assert frequencies(atoms) == pytest.approx(expected, rel=1e-4)


def test_linear_molecule_has_four_vibrations():
    atoms = Atoms("OCO", [[-1.16, 0.0, 0.0], [0.0, 0.0, 0.0], [1.16, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1), (1, 2)], 95.0, 1.16)
    oxygen, carbon = atoms.get_masses()[:2]
    found = frequencies(atoms)
    assert len(found) == 4
    stretches = [wave_number(95.0, oxygen), wave_number(95.0, 1 / (1 / oxygen + 2 / carbon))]
    assert found[2:] == pytest.approx(stretches, rel=CODATA)


def test_a_saddle_point_is_told_by_its_sign():
    atoms = Atoms("N2", [[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], -50.0, 1.1)
    assert frequencies(atoms) == pytest.approx([-wave_number(50.0, atoms.get_masses()[0] / 2)], rel=CODATA)


def test_the_structure_stays_where_it_was():
    atoms = Atoms("N2", [[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], 50.0, 1.1)
    before = atoms.positions.copy()
    assert hessian(atoms).shape == (6, 6)
    np.testing.assert_array_equal(atoms.positions, before)


def test_molecules_are_relaxed_before_they_vibrate():
    """From a stretched start, to the minimum; half as stiff as the reference."""
    start = Atoms("N2", [[0.0, 0.0, 0.0], [1.2, 0.0, 0.0]])
    stiff = wave_number(100.0, start.get_masses()[0] / 2)
    reference = references.Minimum("N#N", start, 0.0, 0.0, np.array([stiff]))
    (found,) = molecules(Springs([(0, 1)], 50.0, 1.1), [reference], say=lambda text: None)
    assert found["converged"]
    assert found["rmsd_A"] == pytest.approx(0.05, abs=1e-4)
    assert found["frequency_mae_per_cm"] == pytest.approx(stiff * (1 - np.sqrt(0.5)), abs=0.1)
    assert found["imaginary"] == 0
