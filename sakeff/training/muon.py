"""Muon (Jordan et al. 2024): a matrix of weights is updated by its momentum, orthogonalised; AdamW does the rest."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import torch
from torch import Tensor

NARROW = 4  # a matrix with a side of at most this many (attention heads) has hardly a spectrum to level


class MuonAndAdamW(torch.optim.Optimizer):
    """torch's Muon for matrices, AdamW for vectors and narrow matrices; the rate of both is one tensor, for schedules.

    ``M <- 0.95 M + 0.05 g`` and ``W <- W - rate 0.2 sqrt(max(rows, columns)) orthogonal(0.95 M + 0.05 g)``: the factor
    gives the update the size that AdamW's has (Liu et al. 2025, arXiv:2502.16982), so that a rate for one suits both.
    `betas` belong to AdamW alone, and decay is decoupled in both.
    """

    def __init__(self, weights: List[Tensor], lr: Tensor, betas: Tuple[float, float], weight_decay: float) -> None:
        super().__init__(weights, {"lr": lr})
        wide = [weight for weight in weights if weight.ndim == 2 and min(weight.shape) > NARROW]
        rest = [weight for weight in weights if weight.ndim != 2 or min(weight.shape) <= NARROW]
        self.parts: List[torch.optim.Optimizer] = []
        if wide:
            settings: Dict[str, Any] = {"lr": lr, "weight_decay": weight_decay}  # a tensor, annotated as a number
            self.parts.append(torch.optim.Muon(wide, adjust_lr_fn="match_rms_adamw", **settings))
        if rest:
            self.parts.append(torch.optim.AdamW(rest, lr=lr, betas=betas, weight_decay=weight_decay, fused=True))
        for part in self.parts:
            part.state = self.state  # one memory, beside each weight

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update with the gradients that are in the weights."""
        for part in self.parts:
            part.step()
