"""What a PythonForce calls: the same scripted adapter as in a TorchForce, for any version of torch."""

import threading
from typing import Any

import numpy as np
import torch
from openmm import State, unit

from sakeff.engines.models import structure_errors
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import scripted_from_bytes, scripted_to_bytes

NM = unit.nanometer


class ProgramComputation:
    """State to energy (kJ/mol) and forces (kJ/mol/nm). Pickles, as XmlSerializer and copies of a System need.

    Raises StructureError, which OpenMM hands on as OpenMMException with the same sentence.
    """

    def __init__(self, adapter: torch.jit.ScriptModule, periodic: bool, device: str) -> None:
        self.adapter = adapter.to(device)
        self.periodic = periodic
        self.device = device
        # Contexts may run in several threads, but the neighbour list is one.
        self.lock = threading.Lock()

    def __call__(self, state: State) -> tuple[float, np.ndarray]:
        """Energy and forces of the particles in the state."""
        positions = self._tensor(state.getPositions(asNumpy=True))
        box = self._tensor(state.getPeriodicBoxVectors(asNumpy=True)) if self.periodic else None
        with self.lock, structure_errors(), gradients_enabled():
            energy, forces = self.adapter(positions, box)
        return float(energy), forces.cpu().numpy()

    def _tensor(self, quantity: unit.Quantity) -> torch.Tensor:
        return torch.tensor(np.asarray(quantity.value_in_unit(NM)), dtype=torch.float64, device=self.device)

    def __getstate__(self) -> dict[str, Any]:
        return {"program": scripted_to_bytes(self.adapter), "periodic": self.periodic, "device": self.device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(scripted_from_bytes(state["program"], state["device"]), state["periodic"], state["device"])
