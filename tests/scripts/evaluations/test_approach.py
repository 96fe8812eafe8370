"""Scans of toys: holes, kinks, walls and wells that were planted are found."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from evaluations import references
from evaluations.approach import (
    JUMP,
    Approach,
    attraction_error,
    contact_distance,
    has_hole,
    largest_fall,
    largest_jump,
)
from evaluations.comparisons import compared, flags, halved

from sakeff.errors import DataError

GRID = np.round(np.arange(6.0, 1.799, -0.05), 6)


class Curve(Calculator):
    """Two atoms with an energy of their distance; the force is its derivative, given beside it."""

    implemented_properties = ("energy", "forces")

    def __init__(self, energy, slope):
        super().__init__()
        self.energy, self.slope = energy, slope

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}
        if len(atoms) == 2:
            distance = atoms.positions[1, 0] - atoms.positions[0, 0]
            self.results["energy"] = float(self.energy(distance))
            self.results["forces"][:, 0] = self.slope(distance) * np.array([1.0, -1.0])


def morse(distance, depth=0.08, steepness=1.6, at=3.2):
    """Energy and slope."""
    decay = np.exp(-steepness * (distance - at))
    return depth * (decay**2 - 2 * decay), 2 * depth * steepness * (decay - decay**2)


def toy_scan(extra=lambda r: (0.0, 0.0)):
    """The comparison of a Morse curve plus something with the Morse curve."""
    energies = morse(GRID)[0]
    reference = references.PairScan(
        "He-He", "any", Atoms("He"), Atoms("He"), GRID, energies, contact_distance(GRID, energies)
    )
    return compared(reference, Curve(lambda r: morse(r)[0] + extra(r)[0], lambda r: morse(r)[1] + extra(r)[1]))


def gaussian(height, at, width):
    def energy_and_slope(r):
        value = height * np.exp(-0.5 * ((r - at) / width) ** 2)
        return value, -value * (r - at) / width**2

    return energy_and_slope


def test_force_is_the_derivative_of_the_energy():
    calculator = LennardJones(epsilon=0.02, sigma=2.4, rc=30.0)
    first, second = molecule("H2O"), molecule("CH4")
    for one in (first, second):
        one.positions -= one.get_center_of_mass()
    approach = Approach(first, second, calculator)
    energies, forces = approach(np.array([3.5 - 1e-4, 3.5, 3.5 + 1e-4]))
    assert forces[1] == pytest.approx((energies[0] - energies[2]) / 2e-4, rel=1e-6)
    assert approach(np.array([29.0]))[0][0] == pytest.approx(0.0, abs=1e-6)


def test_a_sound_scan():
    found = toy_scan()
    assert flags(found) == []
    assert found["attraction_rmse_eV"] == 0.0
    assert found["jump_eV_per_A2"] < JUMP
    np.testing.assert_allclose(found["energies_eV"], morse(GRID)[0], atol=1e-6)


def test_a_planted_hole():
    found = toy_scan(gaussian(-1.5, 2.4, 0.05))
    assert found["hole"]
    assert not found["kink"]
    assert found["fall_inside_contact_eV"] > 0.5


def test_a_hole_is_deeper_than_twice_the_well():
    reference = np.array([0.0, -0.1, 0.3])
    assert not has_hole(np.array([0.0, -0.249, 0.3]), reference)
    assert has_hole(np.array([0.0, -0.251, 0.3]), reference)
    assert has_hole(np.array([0.0, -0.051]), np.array([0.02, 0.4]))


@pytest.mark.parametrize(("at", "jump"), [(4.5123, 1e-3), (2.3077, 0.5), (5.7, 1e-4)])
def test_a_planted_jump_of_the_curvature(at, jump):
    found = toy_scan(lambda r: (0.5 * jump * min(r - at, 0.0) ** 2, jump * min(r - at, 0.0)))
    assert found["kink"]
    assert found["jump_at_A"] == pytest.approx(at, abs=1e-3)
    assert 0.2 * jump < found["jump_eV_per_A2"] < 1.1 * jump


def test_a_planted_jump_of_the_force():
    found = toy_scan(lambda r: (1e-4 * max(4.0 - r, 0.0), -1e-4 * (r < 4.0)))
    assert found["kink"]
    assert found["jump_at_A"] == pytest.approx(4.0, abs=1e-3)
    assert found["jump_eV_per_A2"] > 0.1


def test_a_smooth_end_is_no_kink():
    """What this package's envelopes leave: value, slope and curvature vanish together, the third derivative jumps."""
    found = toy_scan(lambda r: (5.0 * max(5.0 - r, 0.0) ** 3, -15.0 * max(5.0 - r, 0.0) ** 2))
    assert not found["kink"]


def test_a_steep_wall_is_no_kink():
    grid = halved(GRID)

    def force(r):
        return 4.0 * np.exp(-4.0 * (r - 2.2))

    size, _ = largest_jump(force, grid, force(grid))
    assert size < JUMP


def test_a_planted_bump_in_the_wall():
    found = toy_scan(gaussian(0.3, 2.7, 0.05))
    assert not found["hole"]
    energies = morse(halved(GRID))[0] + gaussian(0.3, 2.7, 0.05)(halved(GRID))[0]
    wall = energies[halved(GRID) <= 2.7]
    assert found["fall_inside_contact_eV"] == pytest.approx(wall[0] - wall.min(), abs=2e-3)
    assert flags(found)[0].startswith("wall falls")


def test_falls_count_inside_contact_only():
    distances, energies = np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.0, -0.2, 0.5, 0.4])
    assert largest_fall(distances, energies, 2.5) == pytest.approx(0.1)
    assert largest_fall(distances, energies, 5.0) == pytest.approx(0.2)
    assert largest_fall(distances[:3], energies[:3], 2.5) == 0.0


def test_contact():
    distances = np.array([4.0, 3.0, 2.0, 1.0])
    assert contact_distance(distances, np.array([0.0, -0.2, 0.2, 5.0])) == pytest.approx(2.5)
    assert contact_distance(distances, np.array([0.01, 0.05, 0.15, 5.0])) == pytest.approx(2.5)
    with pytest.raises(DataError, match="further inwards"):
        contact_distance(distances, np.array([0.0, -0.2, -0.1, 0.05]))
    with pytest.raises(DataError, match="further outwards"):
        contact_distance(distances, np.array([0.2, 0.3, 0.5, 1.0]))


def test_error_where_the_reference_attracts():
    distances, reference = np.array([4.0, 3.0, 2.0]), np.array([0.1, -0.1, -0.2])
    energies = reference + np.array([5.0, 0.03, 7.0])
    assert attraction_error(distances, energies, reference, 2.5) == pytest.approx(0.03)
    assert attraction_error(distances, energies, np.abs(reference), 2.5) is None
