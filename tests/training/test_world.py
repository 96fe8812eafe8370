import torch

from sakeff.training.world import ProcessGroup, SingleProcess, joined_world


def test_alone_there_is_nothing_to_add(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_world(torch.device("cpu")) as world:
        assert isinstance(world, SingleProcess)
        value = torch.arange(3.0)
        world.add([value])
        assert value.tolist() == [0.0, 1.0, 2.0]
        assert (world.any(True), world.any(False)) == (True, False)


def test_torchrun_with_one_process_adds_up_with_itself():
    """Sums of mixed data types go through the process group and come back in place."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        world = ProcessGroup(torch.device("cpu"))
        values = [torch.arange(3.0), torch.tensor(2, dtype=torch.int64), torch.ones(2, 2)]
        world.add(values)
        assert [value.tolist() for value in values] == [[0.0, 1.0, 2.0], 2, [[1.0, 1.0], [1.0, 1.0]]]
        assert (world.any(True), world.any(False)) == (True, False)
    finally:
        torch.distributed.destroy_process_group()
