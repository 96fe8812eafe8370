"""Energies are C2 wherever a trajectory can go: pairs through the cutoff, atoms that leave, atoms that SAKE moves."""

import math

import pytest

from tests.contract.checks import Scan, assert_close, assert_gentle_exit, assert_smooth_scan, uniform
from tests.helpers import carbon_dioxide, dimer, ethanol, features_of, structure, with_elements

X = (1.0, 0.0, 0.0)


def chain(cutoff):
    """Four atoms in a bent row; the distance of the first and the last is the cutoff, the others are well inside."""
    c = cutoff
    positions = [[0.0, 0.0, 0.0], [0.3 * c, 0.25 * c, 0.1], [0.62 * c, 0.2 * c, -0.4], [c, 0.0, 0.0]]
    return structure([8, 6, 1, 6], positions)


def leaver(cutoff):
    """Three atoms and a fourth at the cutoff from the first, its only neighbour."""
    return structure([6, 1, 8, 8], [[0.0, 0.0, 0.0], [-0.9, 0.7, 0.2], [-0.7, -1.0, -0.3], [cutoff, 0.0, 0.0]])


def test_sake_moves_atoms_far_enough():
    from tests.contract.architectures import random_case

    case = random_case("sake")
    displacement = features_of(case.potential, ethanol()).vectors[:, 0].norm(dim=-1)
    assert displacement.min() > 0.3


def test_pair_through_cutoff(case):
    system = with_elements(chain(case.cutoff), case.elements)
    assert_smooth_scan(Scan(case.potential, system, 3, X), -0.5, 0.3)
    assert_smooth_scan(Scan(case.potential, system, 3, X), -0.02, 0.02)


def test_last_neighbour_leaves(case):
    system = with_elements(leaver(case.cutoff), case.elements)
    assert_gentle_exit(Scan(case.potential, system, 3, X), -1.0, 0.2)
    assert_gentle_exit(Scan(case.potential, system, 3, X), -0.02, 0.02)


def test_dimer_dissociates(case):
    system = with_elements(dimer(case.cutoff), case.elements)
    assert_gentle_exit(Scan(case.potential, system, 1, X), -1.0, 0.2)


def test_atom_moves_inside_a_molecule(case):
    """Where activations cross zero and where atoms moved by SAKE pass one another."""
    system = with_elements(ethanol(), case.elements)
    assert_smooth_scan(Scan(case.potential, system, 3, X), -0.4, 0.4)


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
def test_through_a_symmetric_geometry(case, direction):
    """Vectors that a symmetry makes vanish pass through zero."""
    system = with_elements(carbon_dioxide(), case.elements)
    assert_smooth_scan(Scan(case.potential, system, 1, direction), -0.2, 0.2)


@pytest.mark.parametrize("make", [chain, leaver])
def test_longer_list_changes_nothing(case, make):
    system = with_elements(make(case.cutoff), case.elements)
    steps = uniform(-1.0, 0.9, 39)
    exact = Scan(case.potential, system, 3, X).forces(steps)
    skin = Scan(case.potential, system, 3, X, extra=1.0).forces(steps)
    assert_close(skin, exact, 1e-12)


@pytest.mark.contract("cutoff")
def test_nothing_beyond_the_cutoff(case):
    """A leaver just beyond the cutoff feels exactly nothing, also with a list that holds its edge."""
    system = with_elements(leaver(case.cutoff), case.elements)
    steps = uniform(1e-9, 0.9, 10)
    forces = Scan(case.potential, system, 3, X, extra=1.0).forces(steps).reshape(10, 4, 3)
    assert (forces[:, 3] == 0).all()
    assert math.isclose(float(forces[0, 0, 0]), float(forces[-1, 0, 0]), rel_tol=1e-12)
