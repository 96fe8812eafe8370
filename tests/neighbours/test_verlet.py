import copy
import math

import pytest
import torch
from torch import nn

from sakeff.errors import NeighbourError
from sakeff.neighbours import TorchSearch, VerletList, all_pairs, neighbour_list
from sakeff.neighbours.vesin_list import VesinSearch
from sakeff.types import Neighbours, System, join_systems
from tests.helpers import dimer, ethanol, moved, tensor
from tests.neighbours.cases import (
    CASES,
    SHEARED,
    TRICLINIC,
    assert_contract,
    assert_same,
    jumped,
    jumps,
    random_structure,
    rows_of,
    shaken,
    vectors_of,
)

CUTOFF, SKIN = 4.3, 0.8
BOXES = {
    "triclinic": random_structure(1, 20, TRICLINIC, (True, True, True)),
    "unreduced": random_structure(2, 20, SHEARED, (True, True, True)),
    "slab": random_structure(3, 20, [*TRICLINIC[:2], [0.0] * 3], (True, True, False)),
    "molecule": ethanol(),
    "own images": CASES["own images only"][0],
    "batch": join_systems([ethanol(), CASES["triclinic"][0], CASES["wire"][0]]),
}
PERIODIC = [name for name in BOXES if name != "molecule"]


class Frozen(nn.Module):
    """A parent with plain tensors, as engines hold the list."""

    def __init__(self, skin: float) -> None:
        super().__init__()
        self.list = VerletList(TorchSearch(), CUTOFF, skin)

    def forward(self, system: System) -> Neighbours:
        return self.list(system)

    @torch.jit.export
    def rebuilds(self) -> int:
        return self.list.rebuilds

    @torch.jit.export
    def reset(self) -> None:
        self.list.reset()


def verlet(skin=SKIN, cutoff=CUTOFF):
    return VerletList(TorchSearch(), cutoff, skin)


def assert_complete(neighbours, system, cutoff=CUTOFF):
    """All edges up to the cutoff, and those beyond are honest images."""
    assert_contract(neighbours)
    assert neighbours.cutoff == cutoff
    near = vectors_of(system, neighbours).norm(dim=1) <= cutoff
    assert torch.equal(rows_of(neighbours)[near], rows_of(neighbour_list(system, cutoff)))


# ---------------------------------------------------------------- kept lists


@pytest.mark.parametrize("name", BOXES)
def test_first_call_lists_up_to_cutoff_and_skin(name):
    neighbours = verlet()(BOXES[name])
    assert_same(neighbours, neighbour_list(BOXES[name], CUTOFF + SKIN))
    assert neighbours.cutoff == CUTOFF


@pytest.mark.parametrize("name", PERIODIC)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_jumps_of_single_atoms_at_rest_cost_nothing_and_change_no_vector(name, size):
    listed, system = verlet(), BOXES[name]
    before = vectors_of(system, listed(system))
    for seed in range(3):
        there = jumped(system, jumps(seed, system, size))
        after = listed(there)
        torch.testing.assert_close(vectors_of(there, after), before, rtol=0, atol=1e-9)
        assert_complete(after, there)
    assert listed.rebuilds == 1


def test_whole_molecules_several_cells_away():
    system = join_systems([BOXES["triclinic"]])
    listed = verlet()
    before = vectors_of(system, listed(system))
    cells = torch.zeros(20, 3, dtype=torch.int64)
    cells[:7], cells[7:12] = torch.tensor([4, -3, 0]), torch.tensor([-9, 0, 2])
    there = jumped(system, cells)
    torch.testing.assert_close(vectors_of(there, listed(there)), before, rtol=0, atol=1e-11)
    assert listed.rebuilds == 1


@pytest.mark.parametrize("name", BOXES)
def test_small_moves_keep_the_list_and_it_stays_complete(name):
    """Every atom moves by nearly skin / 2, so pairs approach by nearly the skin."""
    listed, system = verlet(), BOXES[name]
    listed(system)
    for seed in range(5):
        there = shaken(seed, system, 0.999 * SKIN / 2)
        assert_complete(listed(there), there)
    assert listed.rebuilds == 1


@pytest.mark.parametrize("name", [name for name in PERIODIC if name != "unreduced"])
def test_small_moves_with_jumps_keep_the_list_and_it_stays_complete(name):
    listed, system = verlet(), BOXES[name]
    listed(system)
    for seed in range(5):
        there = jumped(shaken(seed, system, 0.999 * SKIN / 2), jumps(seed, system))
        assert_complete(listed(there), there)
    assert listed.rebuilds == 1


def test_small_moves_with_jumps_in_a_very_skewed_cell_may_cost_a_search_but_no_edge():
    listed, system = verlet(), BOXES["unreduced"]
    for seed in range(5):
        there = jumped(shaken(seed, system, 0.999 * SKIN / 2), jumps(seed, system))
        assert_complete(listed(there), there)


@pytest.mark.parametrize("name", BOXES)
def test_one_atom_beyond_half_the_skin_rebuilds(name):
    listed, system = verlet(), BOXES[name]
    listed(system)
    positions = system.positions.clone()
    positions[0] += 1.001 * SKIN / 2 * tensor([0.6, 0.0, 0.8])
    there = jumped(moved(system, positions), jumps(1, system))
    assert_complete(listed(there), there)
    assert listed.rebuilds == 2


def test_half_the_skin_is_needed():
    """Two atoms that approach by 0.75 skin each: a rebuild at the whole skin would miss them."""
    listed, system = verlet(), dimer(CUTOFF + 1.4 * SKIN)
    assert listed(system).centre.shape[0] == 0
    nearer = system.positions + 0.75 * SKIN * tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    assert listed(moved(system, nearer)).centre.shape[0] == 2


@pytest.mark.parametrize("name", BOXES)
def test_long_walk_is_always_complete(name):
    listed, system = verlet(), BOXES[name]
    for seed in range(40):
        system = shaken(seed, system, 0.08)
        there = jumped(system, jumps(seed, system))
        assert_complete(listed(there), there)
    assert 1 < listed.rebuilds < 30


# ---------------------------------------------------------------- lists that must not be kept


@pytest.mark.parametrize(
    "strain",
    [
        [[0.9, 0.0, 0.0], [0.0, 0.9, 0.0], [0.0, 0.0, 0.9]],
        [[1.0, 0.0, 0.0], [0.3, 1.0, 0.0], [0.0, 0.2, 1.0]],
        [[1.0, 0.0, 0.0], [0.0, 1.0 - 1e-12, 0.0], [0.0, 0.0, 1.0]],
    ],
    ids=["shrunk", "sheared", "hardly changed"],
)
@pytest.mark.parametrize("name", PERIODIC)
def test_changed_box_with_atoms_at_rest(name, strain):
    listed, system = verlet(), BOXES[name]
    listed(system)
    changed = system._replace(cell=system.cell @ tensor(strain))
    assert_complete(listed(changed), changed)
    assert listed.rebuilds == 2


def test_box_and_atoms_that_shrink_together():
    listed, system = verlet(), BOXES["triclinic"]
    for _ in range(10):
        system = system._replace(cell=0.98 * system.cell, positions=0.98 * system.positions)
        assert_complete(listed(system), system)
    assert listed.rebuilds == 10


def test_other_atoms_at_the_same_places():
    listed, system = verlet(), ethanol()
    listed(system)
    listed(system._replace(numbers=system.numbers.flip(0)))
    assert listed.rebuilds == 2


def test_another_number_of_atoms():
    listed = verlet()
    for system in (ethanol(), dimer(), CASES["none"][0], CASES["one atom"][0], ethanol(), BOXES["triclinic"]):
        assert_complete(listed(system), system)
    assert listed.rebuilds == 6


def test_another_batch_of_the_same_atoms():
    pair = join_systems([dimer(), dimer()])
    together = moved(pair, pair.positions.clone())._replace(batch=torch.tensor([0, 0, 0, 1]))
    listed = verlet()
    assert_complete(listed(pair), pair)
    assert_complete(listed(together), together)
    assert listed.rebuilds == 2


def test_other_periodic_directions():
    listed, system = verlet(), BOXES["triclinic"]
    listed(system)
    slab = system._replace(pbc=torch.tensor([[True, False, True]]))
    assert_complete(listed(slab), slab)
    assert listed.rebuilds == 2


def test_positions_that_change_in_place():
    """Engines hand over views of arrays which they overwrite."""
    listed, system = verlet(), moved(ethanol(), ethanol().positions.clone())
    listed(system)
    system.positions[0] += 1.0
    assert_complete(listed(system), system)
    assert listed.rebuilds == 2


def test_bad_positions_leave_the_good_list():
    listed, system = verlet(), BOXES["triclinic"]
    listed(system)
    positions = system.positions.clone()
    positions[5, 2] = math.nan
    with pytest.raises(NeighbourError, match="not finite"):
        listed(moved(system, positions))
    assert_complete(listed(system), system)
    assert listed.rebuilds == 1


def test_no_skin_searches_each_time():
    listed, system = verlet(skin=0.0), ethanol()
    for _ in range(3):
        assert_same(listed(system), neighbour_list(system, CUTOFF))
    assert listed.rebuilds == 3


@pytest.mark.parametrize(
    ("cutoff", "skin"), [(0.0, 1.0), (math.nan, 1.0), (4.0, -0.1), (4.0, math.inf), (4.0, math.nan)]
)
def test_cutoff_and_skin_out_of_range_are_refused(cutoff, skin):
    with pytest.raises(NeighbourError, match="must be"):
        VerletList(TorchSearch(), cutoff, skin)


# ---------------------------------------------------------------- all pairs


def test_all_pairs_survive_every_move():
    listed, system = verlet(cutoff=math.inf), ethanol()
    assert_same(listed(system), all_pairs(system))
    assert listed(shaken(1, system, 100.0)).cutoff == math.inf
    assert listed.rebuilds == 1
    assert_same(listed(dimer()), all_pairs(dimer()))
    assert listed.rebuilds == 2
    with pytest.raises(NeighbourError, match="open structures"):
        listed(BOXES["triclinic"])


def test_all_pairs_of_bad_positions_are_no_reference():
    listed, system = verlet(cutoff=math.inf), ethanol()
    broken = moved(system, system.positions * math.nan)
    for _ in range(2):  # the edges pass the NaN on, so that the energy shows it
        assert_same(listed(broken), all_pairs(system))
    assert_same(listed(system), all_pairs(system))
    assert listed.rebuilds == 3


# ---------------------------------------------------------------- as a module


def test_lists_carry_no_gradients():
    system = BOXES["triclinic"]
    system = system._replace(
        positions=system.positions.clone().requires_grad_(), cell=system.cell.clone().requires_grad_()
    )
    listed = verlet()
    for _ in range(2):
        assert not any(field.requires_grad for field in listed(system)[:4])
    assert not any(field.requires_grad for field in listed.reference)


def test_float32_positions_are_compared_in_float64():
    system = System(*[field.float() if field.is_floating_point() else field for field in BOXES["triclinic"]])
    listed = verlet()
    for _ in range(2):
        assert_same(listed(system), neighbour_list(system, CUTOFF + SKIN))
    assert listed.rebuilds == 1


def test_any_search_serves():
    listed, reference = VerletList(VesinSearch(), CUTOFF, SKIN), verlet()
    for seed in range(5):
        system = shaken(seed, BOXES["slab"], 0.3)
        assert_same(listed(system), reference(system))


def walk(seeds):
    """Frames with moves, jumps, a changed box and other atoms."""
    for name in ("triclinic", "molecule", "batch", "triclinic"):
        for seed in range(seeds):
            system = shaken(seed, BOXES[name], 0.25)
            yield jumped(system, jumps(seed, system))
        yield system._replace(cell=0.97 * system.cell)


def frozen(skin):
    return torch.jit.freeze(torch.jit.script(Frozen(skin)).eval(), preserved_attrs=["rebuilds", "reset"])


@pytest.mark.parametrize("make", [lambda skin: torch.jit.script(Frozen(skin)), frozen], ids=["scripted", "frozen"])
def test_scripted_and_frozen_agree_with_eager(make):
    eager, scripted = Frozen(SKIN), make(SKIN)
    for system in walk(4):
        assert_same(scripted(system), eager(system))
    assert scripted.rebuilds() == eager.rebuilds()
    scripted.reset()
    assert scripted.rebuilds() == 0
    assert_same(scripted(ethanol()), neighbour_list(ethanol(), CUTOFF + SKIN))
    assert scripted.rebuilds() == 1


def test_copies_do_not_share_their_state():
    """Each OpenMM Context clones its program; each must keep the list of its own atoms."""
    program = torch.jit.script(Frozen(SKIN))
    one, two = copy.deepcopy(program), copy.deepcopy(program)
    three = torch.jit.freeze(program.eval(), preserved_attrs=["rebuilds"])
    for system in walk(2):
        other = jumped(shaken(9, BOXES["unreduced"], 0.3), jumps(9, BOXES["unreduced"]))
        assert_complete(one(system), system)
        assert_complete(two(other), other)
        assert_complete(three(system), system)
    assert two.rebuilds() == 1
    assert one.rebuilds() == three.rebuilds()
    assert program.rebuilds() == 0


def test_saved_with_its_state_and_loaded(tmp_path):
    program, system = torch.jit.script(Frozen(SKIN)), BOXES["batch"]
    program(system)
    program.save(str(tmp_path / "list.pt"))
    loaded = torch.jit.load(str(tmp_path / "list.pt"))
    assert_same(loaded(system), program(system))
    assert loaded.rebuilds() == 1
    assert_complete(loaded(ethanol()), ethanol())
