"""Small checkpoints for the tests of scripts that start from one."""

import torch

from sakeff.checkpoint import save_checkpoint
from sakeff.config import build_potential, parse_potential_config

SO3KRATES = {
    "name": "so3krates",
    "width": 8,
    "layers": 2,
    "heads": 2,
    "degrees": [1, 2],
    "basis_size": 4,
    "cutoff": 3.0,
}
SAKE = {"name": "sake", "width": 8, "layers": 1, "cutoff": 3.0}


def model(folder, representation, seed=3, elements=(1, 6, 8)):
    """A checkpoint with random weights, and metrics as if it had been evaluated."""
    config = parse_potential_config({"elements": list(elements), "representation": representation})
    potential = build_potential(config, seed).to(torch.float64)
    save_checkpoint(folder, potential, config, {"level_of_theory": "none", "metrics": {"test": {"force_mae": 1.0}}})
    return folder
