"""A program in the units and arrays of OpenMM; scripts, and is what a TorchForce holds."""

from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn

from sakeff import units


class OpenMMAdapter(nn.Module):
    """Positions in nm to energy in kJ/mol and forces in kJ/mol/nm.

    Args:
        program: a ``Program``, eager or scripted.
        numbers: atomic numbers of the particles that the potential acts on (n).
        particles: their indices in the system; particles not among them get no force.
        periodic: whether all three directions are periodic.
        charge: total charge of the particles, e.
        spin: their number of unpaired electrons.

    """

    def __init__(
        self, program: nn.Module, numbers: List[int], particles: List[int], periodic: bool, charge: float, spin: float
    ) -> None:
        super().__init__()
        self.program = program
        self.charge = float(charge)
        self.spin = float(spin)
        # Buffers, so that they follow the module to the device of a Context.
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64))
        self.register_buffer("particles", torch.tensor(particles, dtype=torch.int64))
        self.register_buffer("pbc", torch.full((3,), periodic, dtype=torch.bool))
        self.register_buffer("no_box", torch.zeros((3, 3), dtype=torch.float64))
        self.eval()

    def forward(self, positions: Tensor, boxvectors: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Positions (M, 3) nm of all particles and box vectors (3, 3) nm, rows, to () kJ/mol and (M, 3) kJ/mol/nm.

        Overlapping atoms have infinite energy and NaN forces, so that OpenMM's minimiser and barostats step back.
        """
        box = self.no_box if boxvectors is None else boxvectors.to(torch.float64) * units.ANGSTROM_PER_NM
        here = positions.detach().to(torch.float64).index_select(0, self.particles) * units.ANGSTROM_PER_NM
        result = self.program.trial(self.numbers, here, box, self.pbc, self.charge, self.spin)
        forces = torch.zeros_like(positions, dtype=torch.float64)
        forces = forces.index_copy(0, self.particles, result[2] * units.KJ_PER_MOL_NM_PER_EV_ANGSTROM)
        return result[0] * units.KJ_PER_MOL_PER_EV, forces
