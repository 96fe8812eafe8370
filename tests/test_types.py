import pytest
import torch

from sakeff.types import join_systems, single_system
from tests.helpers import ethanol, triclinic_box


def test_single_system_is_open_by_default():
    system = single_system(torch.tensor([1, 8], dtype=torch.int32), torch.rand(2, 3), charge=1.0, spin=2.0)
    assert system.numbers.dtype == torch.int64
    assert not system.pbc.any()
    assert system.cell.shape == (1, 3, 3)
    assert (system.cell == 0).all()
    assert system.batch.tolist() == [0, 0]
    assert float(system.charge) == 1.0
    assert float(system.spin) == 2.0


def test_single_system_keeps_the_cell_where_a_direction_is_open():
    box = triclinic_box(pbc=(True, False, True))
    assert (box.cell != 0).any(dim=-1).all()
    assert box.pbc.tolist() == [[True, False, True]]


def test_joined_systems_keep_their_atoms_and_order():
    parts = [ethanol(), triclinic_box(), ethanol(seed=2)]
    joined = join_systems(parts)
    assert joined.batch.tolist() == [0] * 9 + [1] * 12 + [2] * 9
    assert joined.cell.shape == (3, 3, 3)
    for index, part in enumerate(parts):
        assert torch.equal(joined.positions[joined.batch == index], part.positions)
        assert torch.equal(joined.pbc[index : index + 1], part.pbc)


def test_joining_batches_of_batches():
    pair = join_systems([ethanol(), triclinic_box()])
    assert join_systems([pair, pair]).batch.unique().tolist() == [0, 1, 2, 3]


def test_types_are_immutable_and_script():
    system = ethanol()
    with pytest.raises(AttributeError):
        system.charge = torch.zeros(1)
    joined = torch.jit.script(join_systems)([system, system])
    assert torch.equal(joined.batch, join_systems([system, system]).batch)
