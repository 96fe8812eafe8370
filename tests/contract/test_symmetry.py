"""Rotations, reflections, translations, permutations, and the symmetry of molecules."""

import itertools
import math

import pytest
import torch

from tests.contract.checks import (
    assert_equivariant,
    assert_forces_obey,
    assert_permutation_equivariant,
    assert_translation_invariant,
)
from tests.helpers import (
    benzene,
    carbon_dioxide,
    dimer,
    ethanol,
    methane,
    rotation,
    tensor,
    triclinic_box,
    with_elements,
)

MIRROR = torch.diag(tensor([1.0, 1.0, -1.0]))


def order_of_image(system, matrix):
    """The atom at the place where ``matrix`` takes each atom."""
    image = system.positions @ matrix.T
    return torch.cdist(image, system.positions).argmin(dim=1)


def symmetric(name):
    """A molecule and matrices that leave it unchanged."""
    flips = [torch.diag(tensor(signs)) for signs in itertools.product([1.0, -1.0], repeat=3)]
    if name == "dimer":
        return dimer(1.2, (6, 6)), [m for m in flips if m[0, 0] > 0]
    if name == "homonuclear dimer":
        system = dimer(1.2, (8, 8))
        return system._replace(positions=system.positions - system.positions.mean(dim=0)), flips
    if name == "carbon dioxide":
        return carbon_dioxide(), flips
    if name == "methane":
        axes = [torch.eye(3, dtype=torch.float64)[list(p)] for p in itertools.permutations(range(3))]
        proper = [f for f in flips if torch.det(f) > 0]
        return methane(), [f @ a for f in proper for a in axes]
    angle = math.pi / 3
    c, s = math.cos(angle), math.sin(angle)
    sixfold = tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return benzene(), [torch.linalg.matrix_power(sixfold, k) @ f for k in range(6) for f in flips]


def systems_of(case):
    """An open structure, and a box where the architecture takes one."""
    systems = [ethanol()] if "periodic" in case.does_not_apply else [ethanol(), triclinic_box()]
    return [with_elements(system, case.elements) for system in systems]


def is_mirror_symmetric(case):
    symmetry = case.potential.representation.symmetry
    assert symmetry in ("O(3)", "SO(3)")
    return symmetry == "O(3)"


@pytest.mark.parametrize("seed", [3, 4])
def test_rotations(case, seed):
    for system in systems_of(case):
        assert_equivariant(case.potential, system, rotation(seed))


def test_reflections(case):
    """Mirror images have one energy, unless the representation declares SO(3): then they differ."""
    for system in systems_of(case):
        if is_mirror_symmetric(case):
            assert_equivariant(case.potential, system, MIRROR @ rotation())
        else:
            with pytest.raises(AssertionError, match="differ by"):
                assert_equivariant(case.potential, system, MIRROR)


def test_translations(case):
    for system in systems_of(case):
        assert_translation_invariant(case.potential, system)


def test_permutations(case):
    for system in systems_of(case):
        assert_permutation_equivariant(case.potential, system)


@pytest.mark.parametrize("name", ["dimer", "homonuclear dimer", "carbon dioxide", "benzene", "methane"])
def test_symmetric_molecules(case, name):
    system, matrices = symmetric(name)
    if not is_mirror_symmetric(case):
        matrices = [m for m in matrices if torch.det(m) > 0]
    operations = [(matrix, order_of_image(system, matrix)) for matrix in matrices]
    assert_forces_obey(case.potential, with_elements(system, case.elements), operations)
