"""The program that a CUDA graph replays gives the numbers of the usual one, and NaN where that one refuses."""

import math

import pytest
import torch

from sakeff.errors import StructureError
from sakeff.export.fixed_shape import FixedShapeProgram, capacities_for
from sakeff.export.program import Program
from sakeff.fast.accelerate import accelerate
from sakeff.neighbours import TorchSearch
from tests.contract.architectures import ARCHITECTURES, random_case
from tests.helpers import ethanol, make_potential, random_numbers, structure
from tests.neighbours.cases import random_structure

WIDE = random_structure(5, 12, (13.0 * torch.eye(3)).tolist(), (True, True, True))
SHORT_SIGHTED = {"name": "so3krates", "width": 12, "layers": 1, "heads": 2, "basis_size": 8, "cutoff": 2.0}
MOLECULE, BOX = ethanol(), WIDE._replace(numbers=torch.tensor([6, 1, 8, 1] * 3))


def inputs(system):
    return system.numbers, system.positions, system.cell[0], system.pbc[0], 0.0, 0.0


def programs(potential, system, room=1.3):
    slots = capacities_for(potential.requests(), system, room)
    return Program(potential, TorchSearch()), FixedShapeProgram(potential, slots, bool(system.pbc.any()))


@pytest.mark.parametrize("system", [MOLECULE, BOX], ids=["open", "periodic"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_same_numbers(name, system):
    case = random_case(name)
    if system is BOX and any(math.isinf(cutoff) for cutoff in case.potential.requests()):
        pytest.skip("all pairs exist only in open structures")
    usual, fixed = programs(case.potential, system)
    for one, other in zip(usual(*inputs(system)), torch.jit.script(fixed)(*inputs(system)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", ["sake", "so3krates"])
def test_fast_paths_have_it_too(name):
    fast = accelerate(random_case(name).potential, "torch", torch.float64).potential
    usual, fixed = programs(fast, MOLECULE)
    for one, other in zip(usual(*inputs(MOLECULE)), fixed(*inputs(MOLECULE)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def changed(**changes):
    system = MOLECULE._replace(**changes)
    return inputs(system)


CROWDED = MOLECULE.positions * 0.75
WRONG = {
    "edges that do not fit": lambda: changed(positions=CROWDED),
    "a position that is not finite": lambda: changed(positions=MOLECULE.positions.clone().fill_diagonal_(math.inf)),
    "an unknown element": lambda: changed(numbers=MOLECULE.numbers.clone().fill_(92)),
    "other periodicity": lambda: changed(pbc=torch.ones(1, 3, dtype=torch.bool)),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_evaluated_is_poisoned(what):
    _, fixed = programs(make_potential(SHORT_SIGHTED), MOLECULE, room=1.0)
    assert all(bool(output.isfinite().all()) for output in fixed(*inputs(MOLECULE)))
    assert all(bool(output.isnan().all()) for output in fixed(*WRONG[what]()))


def test_overlapping_atoms_have_infinite_energy():
    potential = random_case("so3krates").potential
    fixed = FixedShapeProgram(potential, [72], periodic=False)
    positions = MOLECULE.positions.clone()
    positions[1] = positions[0] + 0.1
    energy, *derivatives = fixed(*changed(positions=positions))
    assert float(energy) == math.inf
    assert all(bool(output.isnan().all()) for output in derivatives)


def test_room_is_counted_in_edges_and_never_more_than_all_pairs():
    assert capacities_for([50.0], MOLECULE, 1.3) == [72]
    assert capacities_for([1.2], MOLECULE, 1.0)[0] == 2 * 9
    assert capacities_for([0.5], MOLECULE, 2.0) == [36]


@pytest.mark.parametrize("count", [1, 2001])
def test_too_few_or_too_many_atoms_are_refused(count):
    with pytest.raises(StructureError, match="2 to 2000 atoms"):
        capacities_for([3.0], structure([6] * count, 100.0 * random_numbers(1, count, 3)), 1.3)


def test_cells_without_such_a_list_are_refused():
    narrow = random_structure(5, 12, (9.0 * torch.eye(3)).tolist(), (True, True, True))
    slab = random_structure(5, 12, (13.0 * torch.eye(3)).tolist(), (True, True, False))
    for system in (narrow, slab):
        with pytest.raises(StructureError, match=r"at least 10 A wide"):
            capacities_for([5.0], system, 1.3)
