"""SOAP (Vyas et al. 2024, arXiv:2409.11321), Adam in the eigenbasis of Shampoo, for runs that resume exactly."""

from __future__ import annotations

from typing import List, Tuple

import torch
from pytorch_optimizer import SOAP
from torch import Tensor


class ResumableSOAP(SOAP):
    """SOAP whose whole memory is tensors, beside each weight; the learning rate is a tensor that a schedule changes.

    ``G <- b G + (1 - b) g g^T`` for either side of a matrix of weights, with b = betas[1]; Adam runs on the gradient in
    the eigenbases of both, which follow by one step of QR iteration in every ten updates (Algorithm 3). The bases start
    as the identity, so that the first ten updates are those of Adam. Vectors are left to Adam.
    """

    def __init__(self, weights: List[Tensor], lr: Tensor, betas: Tuple[float, float], weight_decay: float) -> None:
        super().__init__(weights, lr=float(lr), betas=betas, weight_decay=weight_decay)
        self.param_groups[0]["lr"] = lr
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        self.init_group(self.param_groups[0])
        self.zero_grad(set_to_none=True)
        for memory in self.state.values():
            memory["step"] = torch.zeros(())

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update with the gradients that are in the weights."""
        (group,) = self.param_groups
        count = [memory["step"] for memory in self.state.values()]
        rate, group["step"] = group["lr"], int(count[0]) + 1  # the library counts its creation of the memory as well
        group["lr"] = float(rate)  # it would scale a tensor in place
        super().step()
        group["lr"] = rate
        torch._foreach_add_(count, 1.0)
