"""so3krates-torch: So3krates with the hyperparameters of ours, random weights.

"ase": its own ASE calculator, which makes a new neighbour list (matscipy) at each call.
"model": its model alone, on one neighbour list made beforehand and never updated; a lower bound.
"""

from typing import Any, Callable

import ase
import numpy as np
import torch
from so3krates_torch.calculator.so3 import TorchkratesCalculator
from so3krates_torch.modules.models import So3krates

from benchmarks.packages.calculators import calculator_evaluator, to_atoms
from benchmarks.structure import Structure

DISTRIBUTIONS = ("so3krates-torch", "torch", "matscipy", "ase", "numpy")


def make(options: dict[str, Any], structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A)."""
    calculator = TorchkratesCalculator(
        models=random_model(device), model_type="so3krates", default_dtype="float32", device=device
    )
    atoms = to_atoms(structure)
    if options["route"] == "model":
        return model_alone(calculator, atoms)
    return calculator_evaluator(calculator, atoms)


def random_model(device: str) -> torch.nn.Module:
    """F = 132, six layers, four heads, degrees 1-3, 32 radial functions, cutoff 5 A."""
    torch.manual_seed(0)
    return So3krates(
        r_max=5.0,
        num_radial_basis_fn=32,
        degrees=[1, 2, 3],
        num_features=132,
        num_heads=4,
        num_layers=6,
        avg_num_neighbors=12.0,
        device=device,
        dtype=torch.float32,
    ).eval()


def model_alone(calculator: TorchkratesCalculator, atoms: ase.Atoms) -> Callable[[np.ndarray], np.ndarray]:
    """The model on the calculator's own graph of the first positions, with the positions exchanged."""
    graph = calculator._atoms_to_batch(atoms).to_dict()
    model = calculator.models[0]

    def forces(positions: np.ndarray) -> np.ndarray:
        here = torch.tensor(positions, dtype=torch.float32, device=calculator.device)
        return model({**graph, "positions": here}, compute_stress=False)["forces"].detach().cpu().numpy()

    return forces
