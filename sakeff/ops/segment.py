"""Sums of rows that share an index."""

import torch
from torch import Tensor


def segment_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """``out[i] = sum of values[e] over all e with index[e] == i``.

    Shapes: values (E, ...), index (E,) int64; returns (size, ...).
    """
    out = torch.zeros([size] + list(values.shape[1:]), dtype=values.dtype, device=values.device)
    return out.index_add(0, index, values)
