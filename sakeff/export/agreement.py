"""Whether a fast path gives the numbers of the reference, on the user's own structure."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from sakeff.errors import AgreementError
from sakeff.export.program import gradients_enabled
from sakeff.types import System, single_system


class Tolerance(NamedTuple):
    """Largest differences of a fast path. Where forces exceed 10 eV/A both grow in proportion."""

    energy: float  # eV per atom
    force: float  # eV/A


TOLERANCES = {"float32": Tolerance(1e-5, 2e-3), "float64": Tolerance(1e-7, 1e-5)}
ORDINARY_FORCE = 10.0  # eV/A
# The reference needs memory in proportion to the number of atoms: of a large structure, a piece is compared.
LARGEST_PIECE = 200


def check_against_reference(
    program: nn.Module, reference: nn.Module, system: System, charge: float, spin: float, dtype: str
) -> None:
    """Raise AgreementError unless a program agrees with the eager float64 program of the trained potential.

    ``system`` is one structure; of more than 200 atoms, the 200 nearest to its middle are compared, as an open cluster.
    """
    here = piece(system, LARGEST_PIECE)
    inputs = (here.numbers, here.positions, here.cell[0], here.pbc[0], charge, spin)
    with gradients_enabled():
        found, expected = program.trial(*inputs), reference.trial(*inputs)
    require_agreement(found, expected, dtype)


def require_agreement(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], dtype: str) -> None:
    """Raise AgreementError unless two outputs of a program agree."""
    energy, force = differences(found, expected)
    allowed = TOLERANCES[dtype]
    scale = max(1.0, float(expected[2].abs().max()) / ORDINARY_FORCE)
    if not (energy <= allowed.energy * scale and force <= allowed.force * scale):
        raise AgreementError(
            f"On this structure the fast path differs from the reference by {energy:.1e} eV per atom and {force:.1e}"
            f" eV/A (allowed {allowed.energy:.0e} and {allowed.force:.0e}); use kernels='reference'."
        )


def differences(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> tuple[float, float]:
    """Energy per atom (eV) and largest force component (eV/A); infinite energies of overlaps count as equal."""
    if torch.isinf(found[0]) and torch.isinf(expected[0]):
        return 0.0, 0.0
    atoms = expected[2].shape[0]
    return float((found[0] - expected[0]).abs()) / atoms, float((found[2] - expected[2]).abs().max())


def piece(system: System, largest: int) -> System:
    """The structure, or the ``largest`` atoms nearest to its middle without their images."""
    if system.numbers.shape[0] <= largest:
        return system
    distance = torch.linalg.vector_norm(system.positions - system.positions.mean(dim=0), dim=1)
    chosen = torch.sort(torch.argsort(distance)[:largest]).values
    return single_system(system.numbers[chosen], system.positions[chosen])
