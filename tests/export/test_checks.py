"""What a program refuses, eager and scripted, with the same sentence."""

import math

import pytest
import torch

from sakeff.errors import NeighbourError, StructureError
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import eager_program, scripted
from tests.contract.architectures import SO3KRATES
from tests.helpers import ethanol, make_potential, triclinic_box

MOLECULE, BOX = ethanol(), triclinic_box()
NO_CELL = torch.zeros(3, 3, dtype=torch.float64)
NAN = torch.full((9, 3), math.nan, dtype=torch.float64)


def inputs(system=MOLECULE, numbers=None, positions=None, cell=None, charge=0.0, spin=0.0):
    return (
        system.numbers if numbers is None else numbers,
        system.positions if positions is None else positions,
        system.cell[0] if cell is None else cell,
        system.pbc[0],
        charge,
        spin,
    )


def with_pair_at(distance):
    positions = MOLECULE.positions.clone()
    positions[8] = positions[2] + torch.tensor([distance, 0.0, 0.0])
    return positions


def first_on_an_image():
    """Atom 0 beside the third image of atom 5."""
    positions = BOX.positions.clone()
    positions[0] = positions[5] + BOX.cell[0, 0] - 2 * BOX.cell[0, 2] + 0.1
    return positions


BAD = {
    "no atoms": (inputs(numbers=MOLECULE.numbers[:0], positions=MOLECULE.positions[:0]), "no atoms"),
    "unknown element": (inputs(numbers=MOLECULE.numbers.where(MOLECULE.numbers != 8, 26)), r"numbers \[26\]"),
    "number out of the table": (inputs(numbers=MOLECULE.numbers - 7), "does not know atomic numbers"),
    "NaN": (inputs(positions=NAN), "not finite"),
    "one infinite coordinate": (inputs(positions=with_pair_at(math.inf)), "not finite"),
    "NaN in the cell": (inputs(BOX, cell=BOX.cell[0] * math.nan), "not finite"),
    "overlap": (inputs(positions=with_pair_at(0.29)), "overlap"),
    "same place": (inputs(positions=with_pair_at(0.0)), "overlap"),
    "overlap with an image": (inputs(BOX, positions=first_on_an_image()), "overlap"),
    "periodic without volume": (inputs(BOX, cell=NO_CELL), "no volume"),
    "flat cell": (inputs(BOX, cell=BOX.cell[0][[0, 0, 2]]), "no volume"),
    "charge": (inputs(charge=1.0), "total charge of 1"),
    "spin": (inputs(spin=2.0), "unpaired electrons"),
}


@pytest.fixture(scope="module")
def eager():
    return eager_program(make_potential(SO3KRATES), {}, dtype="float64").program


@pytest.fixture(scope="module")
def in_torchscript(eager):
    return scripted(eager)


@pytest.mark.parametrize("name", BAD)
def test_eager_program_refuses(eager, name):
    given, sentence = BAD[name]
    with gradients_enabled(), pytest.raises((StructureError, NeighbourError), match=sentence):
        eager(*given)


@pytest.mark.parametrize("name", BAD)
def test_scripted_program_refuses_with_the_same_sentence(in_torchscript, name):
    given, sentence = BAD[name]
    with gradients_enabled(), pytest.raises(torch.jit.Error, match=sentence):
        in_torchscript(*given)


@pytest.mark.parametrize("distance", [0.31, 0.5])
def test_close_atoms_are_still_evaluated(eager, distance):
    with gradients_enabled():
        assert torch.isfinite(eager(*inputs(positions=with_pair_at(distance)))[2]).all()


def test_a_refused_structure_leaves_the_program_usable(eager):
    with gradients_enabled():
        before = eager(*inputs())
        with pytest.raises(StructureError):
            eager(*BAD["NaN"][0])
        assert torch.equal(eager(*inputs())[2], before[2])


def test_a_charge_the_model_was_trained_for_is_taken():
    program = eager_program(make_potential(SO3KRATES), {"charges": [-1, 0], "spins": [0, 1]}, dtype="float64").program
    with gradients_enabled():
        program(*inputs(charge=-1.0, spin=1.0))
        with pytest.raises(StructureError, match="charge"):
            program(*inputs(charge=1.0))
