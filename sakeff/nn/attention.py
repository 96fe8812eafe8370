"""Attention over the neighbours of an atom: exponentials under an envelope, and their normalisations."""

import torch
from torch import Tensor, nn

from sakeff.ops import segment_sum


def enveloped_exp(score: Tensor, envelope: Tensor) -> Tensor:
    """``phi exp(s)``: scores (E, H) and an envelope (E,) to unnormalised weights (E, H), zero where the envelope is."""
    envelope = envelope.unsqueeze(-1)
    # An edge far beyond the cutoff (padding, a long list) must not overflow before its envelope makes it zero.
    return torch.exp(score.masked_fill(envelope == 0.0, 0.0)) * envelope


class SmoothNormalisation(nn.Module):
    """``w / (1 + sum w)``: goes to zero with the last neighbour. The default."""

    def forward(self, weight: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        """(E, H) to (E, H)."""
        return weight / (1.0 + segment_sum(weight, centre, n_atoms)).index_select(0, centre)


class LiteralNormalisation(nn.Module):
    """``w / sum w``, the softmax as papers print it: stays 1 for a last neighbour up to the cutoff, then jumps to 0."""

    def forward(self, weight: Tensor, centre: Tensor, n_atoms: int) -> Tensor:
        """(E, H) to (E, H)."""
        total = segment_sum(weight, centre, n_atoms)
        total = torch.where(total > 0, total, torch.ones_like(total))
        return weight / total.index_select(0, centre)


NORMALISATIONS = {"smooth": SmoothNormalisation, "literal": LiteralNormalisation}
