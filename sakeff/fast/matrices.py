"""Weight matrices as the C++ operators read them: rows padded with zeros to whole vectors, in both directions."""

from typing import List

import torch
from torch import Tensor, nn

PADDING = 16  # as in native/matrix.h


def padded(rows: Tensor) -> Tensor:
    """(..., n) with zeros added to the last axis until n is a multiple of ``PADDING``; contiguous."""
    missing = -rows.shape[-1] % PADDING
    return nn.functional.pad(rows.detach(), [0, missing]).contiguous()


def both_ways(weight: Tensor) -> List[Tensor]:
    """The matrices of ``y = x W^T`` and of its gradient ``dx = dy W``: (in, padded out) and (out, padded in)."""
    return [padded(weight.t()), padded(weight)]


def network_tensors(network: nn.Sequential) -> List[Tensor]:
    """A network of two linear maps (``nn.mlp.make_mlp``) as native/network.h takes it."""
    first, second = network[0], network[2]
    return [*both_ways(first.weight), padded(first.bias), *both_ways(second.weight), padded(bias_of(second))]


def bias_of(linear: nn.Linear) -> Tensor:
    """Its bias, zeros if it has none."""
    return linear.weight.new_zeros(linear.out_features) if linear.bias is None else linear.bias


def frozen(tensors: List[Tensor]) -> nn.ParameterList:
    """Tensors that belong to a module and are not trained; copies, because files may not share memory among them."""
    copies = [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]
    return nn.ParameterList([nn.Parameter(copy, requires_grad=False) for copy in copies])
