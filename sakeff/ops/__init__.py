"""Small pure functions on tensors: sums over segments and norms that are smooth everywhere."""

from sakeff.ops.norms import smooth_norm, squared_norm
from sakeff.ops.segment import segment_sum

__all__ = ["segment_sum", "smooth_norm", "squared_norm"]
