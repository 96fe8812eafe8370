"""The optimiser that a configuration describes."""

from __future__ import annotations

from typing import List

import torch
from torch import Tensor

from sakeff.errors import ConfigError
from sakeff.training.config import OptimizerConfig
from sakeff.training.muon import MuonAndAdamW

ADAMS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def make_optimizer(config: OptimizerConfig, weights: List[Tensor]) -> torch.optim.Optimizer:
    """For the weights where they are now, with a tensor as learning rate. Raises `ConfigError`."""
    on_gpu = weights[0].is_cuda
    rate = torch.tensor(config.learning_rate, device=weights[0].device)
    if config.name in ADAMS:
        settings = {"betas": config.betas, "weight_decay": config.weight_decay}
        return ADAMS[config.name](weights, lr=rate, fused=True, capturable=on_gpu, **settings)
    if on_gpu:
        raise ConfigError("A CUDA graph cannot hold muon; train on the CPU or choose the optimizer adamw.")
    if not hasattr(torch.optim, "Muon"):
        raise ConfigError("The optimizer muon needs torch 2.9; install it with: pip install 'torch>=2.9'.")
    return MuonAndAdamW(weights, rate, config.betas, config.weight_decay)
