"""sakeff: So3krates and SAKE with the hyperparameters of the papers, random weights, four ways to call them.

"program": the exported file; "ase": ``SAKECalculator`` on it; "torchforce" and "pythonforce": OpenMM's energy and
forces with it. All keep a neighbour list with a skin of 0.5 A.
"""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch

from benchmarks.packages.calculators import calculator_evaluator, to_atoms
from benchmarks.structure import Structure
from sakeff import SAKECalculator
from sakeff.config import build_potential, parse_potential_config
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import export_program, load_program
from sakeff.potential import Potential

DISTRIBUTIONS = ("sakeff", "torch", "openmm", "openmmtorch", "ase", "numpy")
ELEMENTS = [1, 6, 7, 8]
REPRESENTATIONS: dict[str, dict[str, Any]] = {
    "so3krates": {
        "name": "so3krates",
        "width": 132,
        "layers": 6,
        "heads": 4,
        "degrees": [1, 2, 3],
        "basis_size": 32,
        "cutoff": 5.0,
    },
    "sake": {"name": "sake", "width": 64, "layers": 6, "heads": 4, "coefficients": 64, "cutoff": 5.0},
}
# Of the last layer of the readout: random forces must not tear molecules apart within a few steps of dynamics.
FLATNESS = 0.01


def make(options: dict[str, Any], structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Positions (A) to forces (eV/A)."""
    exported = exported_file(options["model"], options["path"])
    return ROUTES[options["route"]](exported, structure, device)


@cache
def random_potential(model: str) -> Potential:
    """Random weights, the same each time."""
    config = parse_potential_config({"elements": ELEMENTS, "representation": REPRESENTATIONS[model]})
    potential = build_potential(config, seed=0).eval()
    with torch.no_grad():
        list(potential.readout.parameters())[-2].mul_(FLATNESS)
    return potential


@cache
def exported_file(model: str, path: str) -> Path:
    """The exported program of a random potential; kept as long as the process lives."""
    file = Path(tempfile.mkdtemp(prefix="sakeff-benchmark-")) / f"{model}.pt"
    export_program(random_potential(model), file, provenance={}, dtype="float32", kernels=path)
    return file


def program_route(exported: Path, structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """The loaded file, called with tensors."""
    program = load_program(exported, device).program
    numbers = torch.tensor(structure.numbers, device=device)
    cell = torch.tensor(structure.cell, device=device)
    pbc = torch.full((3,), structure.periodic, device=device)

    def forces(positions: np.ndarray) -> np.ndarray:
        with gradients_enabled():
            return program(numbers, torch.tensor(positions, device=device), cell, pbc, 0.0, 0.0)[2].cpu().numpy()

    return forces


def ase_route(exported: Path, structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """The ASE calculator."""
    return calculator_evaluator(SAKECalculator(exported, device=device), to_atoms(structure))


def torchforce_route(exported: Path, structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """OpenMM with a TorchForce."""
    return openmm_route(exported, structure, device, "torch")


def pythonforce_route(exported: Path, structure: Structure, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """OpenMM with a PythonForce."""
    return openmm_route(exported, structure, device, "python")


def openmm_route(exported: Path, structure: Structure, device: str, backend: str) -> Callable[[np.ndarray], np.ndarray]:
    """Energy and forces of an OpenMM context."""
    from benchmarks.openmm_context import context_forces, make_context  # OpenMM is an extra

    return context_forces(make_context(exported, structure, device, backend))


ROUTES = {
    "program": program_route,
    "ase": ase_route,
    "torchforce": torchforce_route,
    "pythonforce": pythonforce_route,
}
