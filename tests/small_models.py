"""Checkpoints that are small and gentle: random weights, a readout that is nearly flat, so that nothing flies apart."""

import torch

from sakeff.checkpoint import save_checkpoint
from sakeff.config import build_potential, parse_potential_config

REPRESENTATIONS = {
    "so3krates": {"name": "so3krates", "width": 12, "layers": 1, "heads": 2, "basis_size": 8},
    "sake": {"name": "sake", "width": 12, "layers": 1, "heads": 2, "coefficients": 6, "basis_size": 8},
}
FLATNESS = 0.01


def small_model(folder, name="so3krates", **hyperparameters):
    """Write a checkpoint for H, C, N, O and return its folder."""
    representation = {**REPRESENTATIONS[name], **hyperparameters}
    config = parse_potential_config({"elements": [1, 6, 7, 8], "representation": representation})
    potential = build_potential(config, seed=3)
    with torch.no_grad():
        list(potential.readout.parameters())[-2].mul_(FLATNESS)
    provenance = {
        "level_of_theory": "random numbers",
        "data_sha256": "0" * 64,
        "elements": [1, 6, 7, 8],
        "charges": [0.0],
        "metrics": {"test": {"force_mae_meV_per_A": 12.5}},
        "code_version": "0.1.0",
        "seed": 3,
    }
    save_checkpoint(folder, potential, config, provenance)
    return folder
