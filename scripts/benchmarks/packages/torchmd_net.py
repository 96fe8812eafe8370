"""torchmd-net: equivariant transformer (128 features, 6 layers) and TensorNet (128, 2), random weights.

Called through its own adapter for dynamics, ``External``; the model searches its neighbours at each call.
"""

from typing import Any, Callable

import numpy as np
import torch
from torchmdnet.calculators import External
from torchmdnet.models.model import create_model

from benchmarks.structure import Structure

DISTRIBUTIONS = ("torchmd-net", "torch", "warp-lang", "numpy")
SHARED = {
    "embedding_dimension": 128,
    "num_rbf": 32,
    "rbf_type": "expnorm",
    "trainable_rbf": False,
    "activation": "silu",
    "cutoff_lower": 0.0,
    "cutoff_upper": 5.0,
    "max_z": 100,
    "max_num_neighbors": 128,
    "precision": 32,
    "derivative": True,
    "atom_filter": -1,
    "prior_model": None,
    "output_model": "Scalar",
    "reduce_op": "add",
}
MODELS = {
    "et": {
        "model": "equivariant-transformer",
        "num_layers": 6,
        "num_heads": 8,
        "attn_activation": "silu",
        "distance_influence": "both",
        "neighbor_embedding": True,
    },
    "tensornet": {"model": "tensornet", "num_layers": 2, "equivariance_invariance_group": "O(3)"},
}


def make(options: dict[str, Any], structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A)."""
    torch.manual_seed(0)
    model = create_model({**SHARED, **MODELS[options["model"]]}).to(device)
    for parameter in model.parameters():
        parameter.requires_grad = False
    numbers = torch.tensor(structure.numbers, device=device).unsqueeze(0)
    adapter = External(model, numbers, device=device)
    box = torch.tensor(structure.cell, dtype=torch.float32, device=device) if structure.periodic else None

    def forces(positions: np.ndarray) -> np.ndarray:
        here = torch.tensor(positions, dtype=torch.float32, device=device).requires_grad_()
        return adapter.calculate(here, box)[1].reshape(-1, 3).cpu().numpy()

    return forces
