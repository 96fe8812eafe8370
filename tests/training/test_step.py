import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from sakeff.data.store import frames_to_system
from sakeff.neighbours import neighbour_list
from sakeff.training.gradients import make_gradient
from sakeff.training.loss import SUMS
from tests.training.builders import RATE, make_step


def plain_gradients(frames, chosen, potential):
    """Mean of eq. 35 over structures that are evaluated one by one, without padding."""
    potential.train()
    losses = []
    for index in chosen:
        frame = frames.frame(index)
        system = frames_to_system(frame)
        prediction = potential(system, [neighbour_list(system, cutoff) for cutoff in potential.requests()])
        error = prediction.forces - torch.tensor(frame.forces)
        losses.append(0.2 * (prediction.energy[0] - frame.energy[0]) ** 2 + 0.8 * (error**2).mean())
    loss = torch.stack(losses).mean()
    weights = list(potential.parameters())
    return float(loss.detach()), torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)


def test_padded_batch_has_the_gradients_of_its_structures(frames, potential):
    chosen = [7, 0, 4]
    loss, gradients = plain_gradients(frames, chosen, potential)
    step = make_step(frames, potential)
    got = step.accumulate_gradients(torch.tensor([*chosen, len(frames), len(frames)]))
    assert float(got) == pytest.approx(loss, rel=1e-12)
    for weight, expected in zip(step.weights, gradients, strict=True):
        torch.testing.assert_close(weight.grad, expected, rtol=1e-9, atol=1e-11)


def test_one_step_is_one_step_of_adam(frames, potential):
    step = make_step(frames, potential)
    before = [weight.detach().clone() for weight in step.weights]
    step.accumulate_gradients(torch.arange(5))
    gradients = [weight.grad.clone() for weight in step.weights]
    step.sums.zero_()
    step(torch.arange(5))
    for weight, old, gradient in zip(step.weights, before, gradients, strict=True):
        expected = old - RATE * gradient / (gradient.abs() + 1e-8)
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-7, atol=1e-7)
    assert float(step.sums[SUMS + 1]) == 1.0


def test_loss_falls(frames, potential):
    step = make_step(frames, potential)
    step(torch.arange(5))
    first = float(step.sums[SUMS])
    for _ in range(30):
        step.sums.zero_()
        step(torch.arange(5))
    assert float(step.sums[SUMS]) < 0.5 * first


def test_state_restores_a_step_exactly(frames, potential):
    step = make_step(frames, potential)
    step(torch.arange(5))
    kept = {name: value.clone() for name, value in step.state().items()}
    step(torch.arange(3, 8))
    expected = {name: value.clone() for name, value in step.state().items()}
    for name, value in step.state().items():
        value.copy_(kept[name])
    step(torch.arange(3, 8))
    for name, value in step.state().items():
        assert torch.equal(value, expected[name]), name


def test_nothing_is_read_back_to_the_host(frames, potential):
    """A fake tensor has no data: any `.item()`, `nonzero` or shape that depends on values raises."""
    step = make_step(frames, potential)
    with FakeTensorMode(allow_non_fake_inputs=True):
        step(torch.zeros(5, dtype=torch.int64))


def test_gradient_function_traces_to_the_same_numbers(frames, potential):
    step = make_step(frames, potential)
    batch, targets = step._inputs(torch.arange(5))
    eager = step.gradient(step.weights, batch, targets)
    traced = make_fx(make_gradient(potential, step.loss))(step.weights, batch, targets)
    another = step._inputs(torch.tensor([9, 3, 1, 6, 2]))
    with torch.no_grad():
        got = traced(step.weights, *another)
    other = step.gradient(step.weights, *another)
    torch.testing.assert_close(got[0], other.loss, rtol=1e-12, atol=0)
    for one, two in zip(got[2], other.gradient, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)
    assert float(eager.loss) != float(other.loss)
