import pytest
import torch

from sakeff.errors import OutputError, TrainingError
from sakeff.training import state as state_module
from sakeff.training.state import Progress, RunState, load_state, restore, save_state


def make_state():
    return RunState({"a": torch.arange(3.0), "b": torch.ones((), dtype=torch.float64)}, Progress(step=7), {"seed": 1})


def test_round_trip(tmp_path):
    save_state(tmp_path / "s.safetensors", make_state())
    loaded = load_state(tmp_path / "s.safetensors")
    assert (loaded.progress, loaded.documents) == (Progress(step=7), {"seed": 1})
    live = {"a": torch.zeros(3), "b": torch.zeros((), dtype=torch.float64)}
    address = live["a"].data_ptr()
    restore(live, loaded.tensors)
    assert torch.equal(live["a"], torch.arange(3.0))
    assert live["a"].data_ptr() == address


def test_what_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "s.safetensors"
    with pytest.raises(TrainingError, match="nothing to resume"):
        load_state(path)
    save_state(path, make_state())
    stored = load_state(path).tensors
    for live in ({"c": torch.zeros(3)}, {"a": torch.zeros(4)}):
        with pytest.raises(TrainingError, match="resume with the configuration"):
            restore(live, stored)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(TrainingError, match="damaged"):
        load_state(path)


def test_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(state_module, "FORMAT", "sakeff-training-0")
    save_state(tmp_path / "s.safetensors", make_state())
    monkeypatch.undo()
    with pytest.raises(TrainingError, match="sakeff-training-0"):
        load_state(tmp_path / "s.safetensors")


def test_a_failed_write_keeps_the_last_good_state(tmp_path, monkeypatch):
    path = tmp_path / "s.safetensors"
    save_state(path, make_state())

    def full_disk(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        save_state(path, make_state()._replace(progress=Progress(step=8)))
    monkeypatch.undo()
    assert load_state(path).progress.step == 7
    assert [p.name for p in tmp_path.iterdir()] == ["s.safetensors"]
