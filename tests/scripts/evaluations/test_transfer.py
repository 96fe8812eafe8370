"""The hydrogen of a bridge on its way: where it goes, and the height of the barrier."""

import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from evaluations.transfer import BOND, POINTS, barrier, energies_along, way

BRIDGE = (0, 1, 3)  # of a water dimer, bent a little


class FromTheFirst(Calculator):
    """Energy: the squared distance of the second atom from the first."""

    implemented_properties = ("energy",)

    def calculate(self, atoms, properties, system_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": self.atoms.get_distance(0, 1) ** 2}


@pytest.fixture
def dimer():
    positions = [[0, 0, 0], [0.9, 0.3, 0], [-0.3, -0.9, 0], [2.0, 1.8, 0.2], [2.5, 2.2, -0.6], [2.4, 2.1, 0.9]]
    return Atoms("OHHOHH", positions)


def test_the_hydrogen_goes_straight_from_one_end_to_the_other(dimer):
    copies = way(dimer, BRIDGE)
    assert len(copies) == POINTS
    length = dimer.get_distance(0, 3)
    to_donor, to_acceptor = (np.array([one.get_distance(1, end) for one in copies]) for end in (0, 3))
    np.testing.assert_allclose(to_donor, np.linspace(BOND, length - BOND, POINTS), atol=1e-12)
    np.testing.assert_allclose(to_donor + to_acceptor, length, atol=1e-12)


def test_everything_else_stays(dimer):
    before, others = dimer.positions.copy(), [0, 2, 3, 4, 5]
    for one in way(dimer, BRIDGE):
        np.testing.assert_array_equal(one.positions[others], before[others])
    np.testing.assert_array_equal(dimer.positions, before)


def test_energies_are_those_of_the_way(dimer):
    energies = energies_along(dimer, BRIDGE, FromTheFirst())
    np.testing.assert_allclose(energies, np.linspace(BOND, dimer.get_distance(0, 3) - BOND, POINTS) ** 2, atol=1e-12)


def test_a_barrier_is_counted_from_the_beginning():
    assert barrier(np.array([-5.0, -4.0, -3.5, -6.0])) == pytest.approx(1.5)
    assert barrier(np.array([2.0, 1.0, 0.0])) == 0.0
