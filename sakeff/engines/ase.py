"""ASE calculator."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.outputs import Properties, all_outputs
from ase.stress import full_3x3_to_voigt_6_stress

from sakeff.electrons import electrons
from sakeff.engines.committee import DEVIATIONS, check_alike, combined, members
from sakeff.engines.models import Model, open_model, structure_errors
from sakeff.engines.replay import replayed
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import check_on
from sakeff.types import single_system

USUAL_DTYPE = "float64"


class SAKECalculator(Calculator):
    """Energies (eV), forces (eV/A) and stress (eV/A^3) of a trained potential for ASE.

        atoms.calc = SAKECalculator("so3krates-gfn2")

    Every result is computed at once: energy, free_energy (the same), energies (per atom), forces, and stress
    (+dE/dstrain/V in Voigt order xx, yy, zz, yz, xz, xy) where a direction is periodic and the cell has a volume.

    The total charge (e) is ``atoms.info["charge"]`` (or "total_charge") or else the sum of the initial charges; the
    number of unpaired electrons is ``atoms.info["spin"]`` (or "unpaired_electrons") or else the sum of the initial
    magnetic moments. (Not the multiplicity.)

    A list of two models or more is a committee: every result is the mean of its members, and two results are added,
    ``energy_std`` (eV) and ``forces_std`` (N,) (eV/A), the sample standard deviations of the energy and of a force
    component on each atom (``sakeff.engines.committee``). It costs as much as its members together. The attributes
    ``program`` and ``header`` are those of the first.

        atoms.calc = SAKECalculator(["runs/1/model", "runs/2/model", "runs/3/model"])
        atoms.get_forces(); atoms.calc.results["forces_std"]

    Args:
        model: name of a bundled model, checkpoint folder, exported file, or a ``Potential``; or a list of them.
        device: of torch, e.g. "cpu" or "cuda".
        dtype: "float64" or "float32"; default that of an exported file, or else float64: line searches of optimisers
            and finite differences of vibrations need smoother forces than a float32 network gives. float32 is about
            twice as fast.
        skin: A, of the Verlet list; default 0.5, or that of the exported file.
        kernels: "native" (C++ operators), "torch" (needs no compiler), "reference" (the potential as it was trained),
            or "auto": the first of them that is to be had. ``header.kernels`` says which it is. A fast path is compared
            with the reference on the first structure of each composition.
        cuda_graphs: evaluate structures of up to 2000 atoms as one CUDA graph each (``sakeff.engines.replay``). Not
            with exported files, which have lists of their own.

    Raises CheckpointError and ConfigError (also for a committee of one, or of models trained for different elements,
    charges, spins or levels of theory) at once, AgreementError if a fast path differs from the reference, and
    StructureError at evaluation, before any number: for no atoms, unknown elements, non-finite or overlapping (< 0.3 A)
    atoms, a periodic cell without volume, and a charge or spin that the model was not trained for.

    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012 (of ASE)

    def __init__(
        self,
        model: Model | Sequence[Model],
        device: str = "cpu",
        dtype: str | None = None,
        skin: float | None = None,
        kernels: str = "auto",
        cuda_graphs: bool = False,
    ) -> None:
        super().__init__()
        first, *others = members(model)
        self.opened = open_model(first, USUAL_DTYPE, dtype, skin, device, kernels)
        self.program, self.header = self.opened.program, self.opened.header
        self.compared: set[bytes] = set()  # compositions
        self.device = torch.device(device)
        self.evaluate = self.program
        if cuda_graphs:
            self.evaluate = replayed(self.program, self.header.dtype)
        self.others = [SAKECalculator(one, device, dtype, skin, kernels, cuda_graphs) for one in others]
        if self.others:
            check_alike([self.header, *(other.header for other in self.others)])
            self.implemented_properties = [*self.implemented_properties, *DEVIATIONS]

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation; charge and spin in ``atoms.info`` count."""
        changes = super().check_state(atoms, tol=tol)
        if self.atoms is not None and electrons(self.atoms) != electrons(atoms):
            changes.append("info")
        return changes

    def calculate(
        self, atoms: Atoms | None = None, properties: list[str] | None = None, system_changes: list[str] = all_changes
    ) -> None:
        """Fill ``results``; see the class."""
        super().calculate(atoms, properties, system_changes)
        self.results = {}
        for other in self.others:
            other.calculate(self.atoms)
        self.results = combined([self._own_results(), *(other.results for other in self.others)])

    def _own_results(self) -> dict[str, Any]:
        """The results of the first model alone."""
        with structure_errors(), gradients_enabled():
            energy, atomic, forces, stress = self.evaluate(*self._inputs(), *electrons(self.atoms))
            self._compare_once()
        results = {
            "energy": float(energy),
            "free_energy": float(energy),
            "energies": atomic.cpu().numpy(),
            "forces": forces.cpu().numpy(),
        }
        if self.atoms.pbc.any() and self.atoms.cell.rank == 3:
            results["stress"] = full_3x3_to_voigt_6_stress(stress.cpu().numpy())
        return results

    def export_properties(self) -> Properties:
        """For ``atoms.get_properties``: the results that ASE knows by name."""
        return Properties({name: value for name, value in self.results.items() if name in all_outputs})

    def _compare_once(self) -> None:
        composition = self.atoms.numbers.tobytes() + self.atoms.pbc.tobytes()
        if composition not in self.compared:
            numbers, positions, cell, pbc = self._inputs()
            check_on(self.opened, single_system(numbers, positions, cell, pbc))
            self.compared.add(composition)

    def _inputs(self) -> list[torch.Tensor]:
        """Numbers, positions, cell and pbc on the device."""
        atoms = self.atoms
        arrays = (atoms.numbers.astype(np.int64), atoms.positions, atoms.cell.array, atoms.pbc)
        return [torch.tensor(array, device=self.device) for array in arrays]
