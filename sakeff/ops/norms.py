"""Norms whose derivatives exist everywhere.

The Euclidean norm has a kink at zero, and zero is where symmetric environments live. Networks see
either the squared norm or the smooth norm below.
"""

import torch
from torch import Tensor


def squared_norm(x: Tensor) -> Tensor:
    """``sum_m x_m^2`` over the last axis: a polynomial, smooth everywhere."""
    return (x * x).sum(-1)


def smooth_norm(x: Tensor, softening: float) -> Tensor:
    """``sqrt(|x|^2 + s^2) - s``: like ``|x|^2 / 2s`` near zero and like ``|x|`` far from it.

    Infinitely differentiable for s > 0; its curvature is at most 1/s, so s is a length that must be
    chosen on the scale of x, never an epsilon.
    """
    return torch.sqrt(squared_norm(x) + softening * softening) - softening
