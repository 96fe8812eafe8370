"""mace-torch: MACE with 96 scalar channels and two layers through its own ASE calculator, random weights.

The calculator makes a new neighbour list (matscipy) at each call.
"""

from typing import Any, Callable

import numpy as np
import torch
from mace.calculators import MACECalculator
from mace.modules import interaction_classes
from mace.modules.models import ScaleShiftMACE, o3

from benchmarks.packages.calculators import calculator_evaluator, to_atoms
from benchmarks.structure import Structure

DISTRIBUTIONS = ("mace-torch", "torch", "e3nn", "matscipy", "ase", "numpy")
ELEMENTS = [1, 6, 7, 8]


def make(_: dict[str, Any], structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A)."""
    calculator = MACECalculator(models=random_model().to(device), device=device, default_dtype="float32")
    return calculator_evaluator(calculator, to_atoms(structure))


def random_model() -> torch.nn.Module:
    """96x0e, two layers, spherical harmonics up to degree 3, correlation 3, cutoff 5 A."""
    torch.manual_seed(0)
    residual = interaction_classes["RealAgnosticResidualInteractionBlock"]
    return ScaleShiftMACE(
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
        r_max=5.0,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=residual,
        interaction_cls_first=interaction_classes["RealAgnosticInteractionBlock"],
        num_interactions=2,
        num_elements=len(ELEMENTS),
        hidden_irreps=o3.Irreps("96x0e"),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(len(ELEMENTS)),
        avg_num_neighbors=12.0,
        atomic_numbers=ELEMENTS,
        correlation=3,
        gate=torch.nn.functional.silu,
    ).float()
