"""What is refused before any number is computed. Everything here scripts, so an exported file checks its own input."""

from typing import List

import torch
from torch import Tensor

from sakeff.errors import StructureError
from sakeff.types import System


def check_state(charge: float, spin: float, charges: List[float], spins: List[float]) -> None:
    """Raise StructureError for a total charge (e) or number of unpaired electrons the model was not trained for."""
    if charge not in charges:
        raise StructureError(
            f"The model was not trained for a total charge of {charge}, only for {charges};"
            " change the charge or the model."
        )
    if spin not in spins:
        raise StructureError(
            f"The model was not trained for {spin} unpaired electrons (spin), only for {spins};"
            " change the spin or the model."
        )


def check_atoms(system: System, elements: Tensor) -> None:
    """Raise StructureError for no atoms, unknown elements and non-finite positions or cells.

    One transfer from the device if all is well.
    """
    if system.numbers.shape[0] == 0:
        raise StructureError("The structure has no atoms; give at least one.")
    known = torch.isin(system.numbers, elements)
    finite = torch.isfinite(system.positions).all() & torch.isfinite(system.cell).all()
    if bool(known.all() & finite):
        return
    if not bool(known.all()):
        unknown: List[int] = torch.unique(system.numbers[~known]).tolist()
        trained: List[int] = elements.tolist()
        raise StructureError(
            f"The model does not know atomic numbers {unknown}, only {trained}; use a model trained for them."
        )
    raise StructureError(
        "A position or the cell is not finite; go back to the last good frame and use a smaller time step."
    )
