import torch

from sakeff.nn.exact import ExactBuffers
from sakeff.nn.sphc import CrossDegreeCoupling
from sakeff.potential import ElementReference


class Holder(ExactBuffers):
    def __init__(self):
        super().__init__()
        self.register_buffer("pi", torch.tensor([torch.pi], dtype=torch.float64))
        self.weight = torch.nn.Parameter(torch.ones(2))


def test_digits_survive_changes_of_precision():
    holder = Holder().float().half().double()
    assert holder.pi.dtype == torch.float64
    assert float(holder.pi) == torch.pi
    assert holder.weight.dtype == torch.float64


def test_parameters_and_state_dict_follow():
    holder = Holder().float()
    assert holder.weight.dtype == torch.float32
    assert set(holder.state_dict()) == {"pi", "weight"}
    assert holder.to(torch.float64).pi.data_ptr() == dict(holder.named_buffers())["pi"].data_ptr()


def test_used_for_coupling_coefficients_and_references():
    coupling, reference = CrossDegreeCoupling([1, 2, 3], "even"), ElementReference()
    before = coupling.paths.clone()
    reference.energies[8] = -2000.0 - 1e-9
    assert torch.equal(coupling.float().double().paths, before)
    assert float(reference.float().double().energies[8]) == -2000.0 - 1e-9
