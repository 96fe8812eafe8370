import copy

import pytest
import torch

from sakeff.training.graphed import GraphedStep, fastest_step
from tests.training.builders import make_step


def test_the_cpu_keeps_the_plain_step(frames, potential):
    step = make_step(frames, potential)
    assert fastest_step(step, torch.arange(5)) is step


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_a_replay_does_what_the_step_does(frames, potential):
    plain = make_step(frames, copy.deepcopy(potential), "cuda")
    step = make_step(frames, potential, "cuda")
    chosen = [[0, 1, 2, 3, 4], [9, 8, 12, 12, 12], [5, 6, 7, 1, 12]]
    batches = [torch.tensor(indices, device="cuda") for indices in chosen]
    graphed = GraphedStep(step, batches[0])
    for name, value in plain.state().items():
        assert torch.equal(step.state()[name], value), f"the capture changed {name}"
    for indices in batches:
        plain(indices)
        graphed(indices)
    for name, value in plain.state().items():
        torch.testing.assert_close(step.state()[name], value, rtol=1e-9, atol=1e-9)
