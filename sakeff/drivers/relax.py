"""Structure optimisation on ASE's own optimisers."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import ase.filters
import ase.optimize
import numpy as np
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from tqdm import tqdm

from sakeff.drivers.calculators import calculator_for
from sakeff.drivers.deviation import MAX_DEVIATION, Doubt, check_threshold, deviation_of
from sakeff.drivers.outputs import ExtxyzTrajectory, extxyz_text
from sakeff.drivers.plots import energy_plot
from sakeff.drivers.watch import cause
from sakeff.errors import ConfigError, NeighbourError, SimulationError, StructureError
from sakeff.io import refuse_existing, write_text

OPTIMISERS = ("LBFGS", "FIRE", "FIRE2", "BFGS", "LBFGSLineSearch", "BFGSLineSearch")
CELL_FILTERS = {"cell": ase.filters.FrechetCellFilter, "strain": ase.filters.StrainFilter}


class RelaxOutputs(NamedTuple):
    """Files of a relaxation; None means that the file is not written."""

    structure: Path | None = None  # the last structure, extended XYZ
    trajectory: Path | None = None  # every step, extended XYZ
    plot: Path | None = None  # energy over steps, PNG
    last_good: Path | None = None  # written only if the numbers go non-finite
    overwrite: bool = False

    def refuse_existing(self) -> None:
        """Raise OutputExistsError if any of the files is there and overwriting was not asked for."""
        for path in self[:-1]:
            if path is not None:
                refuse_existing(Path(path), self.overwrite)


def relaxation_in(folder: Path, overwrite: bool = False) -> RelaxOutputs:
    """All files of a relaxation under their usual names in one folder."""
    folder = Path(folder)
    return RelaxOutputs(
        structure=folder / "relaxed.xyz",
        trajectory=folder / "trajectory.xyz",
        plot=folder / "energy.png",
        last_good=folder / "last_good.xyz",
        overwrite=overwrite,
    )


class RelaxResult(NamedTuple):
    """The end of a relaxation; ``atoms`` keeps its calculator."""

    atoms: Atoms
    converged: bool
    steps: int
    fmax: float  # eV/A, largest force on an atom (or, with a cell filter, on the cell)
    energy: float  # eV
    energies: list[float]  # eV, one for each step and the start
    rmsd: float | None  # A, from the reference after optimal superposition
    seconds: float


def relax(
    atoms: Atoms,
    model: Any,
    optimiser: str = "LBFGS",
    fmax: float = 0.01,
    steps: int = 2000,
    cell_filter: str | None = None,
    reference: Atoms | None = None,
    outputs: RelaxOutputs | None = None,
    progress: bool = False,
    max_deviation: float = MAX_DEVIATION,
    **options: Any,
) -> RelaxResult:
    """Minimise the energy of a copy of ``atoms`` until the largest force is below ``fmax`` (eV/A), or for ``steps``.

    ``model`` is a name, a path, a list of them (a committee) or an ASE calculator; ``options`` (device, dtype, skin) go
    to the calculator. ``cell_filter`` "cell" relaxes the cell with the atoms, "strain" the cell alone. Logs a warning
    at the first step where a committee disagrees by more than ``max_deviation`` (eV/A).

    Raises ConfigError, StructureError, OutputExistsError (before anything is computed), or SimulationError if the
    numbers go non-finite; the last good structure is saved then.
    """
    outputs = outputs or RelaxOutputs()
    _check_request(optimiser, cell_filter, fmax, steps)
    if cell_filter is not None and not (atoms.pbc.any() and atoms.cell.rank == 3):
        raise StructureError("A structure without a periodic cell has no stress; relax it without a cell filter.")
    check_threshold(max_deviation)
    if reference is not None:
        check_same_atoms(atoms, reference)
    outputs.refuse_existing()
    atoms = atoms.copy()
    atoms.calc = calculator_for(model, **options)
    atoms.get_potential_energy()  # a bad structure is refused before any file is opened
    target = atoms if cell_filter is None else CELL_FILTERS[cell_filter](atoms)
    began = time.perf_counter()
    history = _History(atoms, fmax, steps, outputs, progress, Doubt(atoms, max_deviation))
    try:
        with getattr(ase.optimize, optimiser)(target, logfile=None) as driver:
            driver.attach(history.record)
            converged = bool(driver.run(fmax=fmax, steps=steps))
            final_fmax = largest_force(target.get_forces())
    except (StructureError, NeighbourError, SimulationError) as error:
        raise history.failure(error) from error
    finally:
        history.close()
    distance = None if reference is None else rmsd(atoms, reference)
    seconds = time.perf_counter() - began
    energies = history.energies
    result = RelaxResult(atoms, converged, len(energies) - 1, final_fmax, energies[-1], energies, distance, seconds)
    _write(result, outputs)
    return result


def rmsd(atoms: Atoms, reference: Atoms) -> float:
    """Root mean square distance (A) of equal atoms after optimal superposition (rotation without reflection).

    Periodic structures are translated only. Raises StructureError if the atoms differ.
    """
    check_same_atoms(atoms, reference)
    moved = atoms.copy()
    if len(atoms) > 1:
        minimize_rotation_and_translation(reference, moved)
    else:
        moved.positions = reference.positions
    return float(np.sqrt(((moved.positions - reference.positions) ** 2).sum(axis=1).mean()))


def check_same_atoms(atoms: Atoms, reference: Atoms) -> None:
    """Raise StructureError unless both have the same elements in the same order."""
    if not np.array_equal(atoms.numbers, reference.numbers):
        raise StructureError("The reference has other atoms or another order; give one with the structure's atoms.")


def largest_force(forces: np.ndarray) -> float:
    """Largest norm of a row, what ASE compares with fmax; 0 without rows."""
    return float(np.linalg.norm(forces, axis=1).max(initial=0.0))


class _History:
    """Observer of the optimiser: checks, records and shows every step."""

    def __init__(
        self, atoms: Atoms, fmax: float, steps: int, outputs: RelaxOutputs, progress: bool, doubt: Doubt
    ) -> None:
        self._atoms, self._fmax, self._last_good, self._doubt = atoms, fmax, outputs.last_good, doubt
        self.energies: list[float] = []
        self._good = atoms.copy()
        path = outputs.trajectory
        self._trajectory = None if path is None else ExtxyzTrajectory(path, overwrite=outputs.overwrite)
        self._bar = tqdm(total=steps, unit="step", disable=None if progress else True, desc="relax")

    def record(self) -> None:
        """Called by ASE after each step, and once at the start."""
        energy, forces = float(self._atoms.get_potential_energy()), self._atoms.get_forces()
        if not (np.isfinite(energy) and np.isfinite(forces).all()):
            raise SimulationError("energy or forces became non-finite")
        self._bar.update(1 if self.energies else 0)
        self._bar.set_postfix_str(f"fmax {largest_force(forces):.4f} eV/A, target {self._fmax}", refresh=False)
        self._doubt.check(deviation_of(self._atoms), len(self.energies))
        self.energies.append(energy)
        self._good = self._atoms.copy()
        if self._trajectory is not None:
            self._trajectory.write(self._atoms, energy, forces, step=len(self.energies) - 1)

    def failure(self, error: Exception) -> SimulationError:
        """Save the last good structure and say what happened."""
        place = "not saved (no file was named for it)"
        if self._last_good is not None and self.energies:
            write_text(self._last_good, extxyz_text(self._good, self.energies[-1]), overwrite=True)
            place = f"in {self._last_good}"
        return SimulationError(
            f"The relaxation stopped after step {max(len(self.energies) - 1, 0)} because {cause(error)};"
            f" its last good structure is {place}, so try FIRE or a better start structure."
        )

    def close(self) -> None:
        """Close the trajectory and the progress bar."""
        self._bar.close()
        if self._trajectory is not None:
            self._trajectory.close()


def _check_request(optimiser: str, cell_filter: str | None, fmax: float, steps: int) -> None:
    if optimiser not in OPTIMISERS:
        raise ConfigError(f"Unknown optimiser {optimiser!r}; choose one of {list(OPTIMISERS)}.")
    if cell_filter is not None and cell_filter not in CELL_FILTERS:
        raise ConfigError(f"Unknown cell filter {cell_filter!r}; choose one of {sorted(CELL_FILTERS)}.")
    if not (np.isfinite(fmax) and fmax > 0) or steps < 0:
        raise ConfigError(f"fmax {fmax} and steps {steps} make no sense; fmax must be above zero, steps not negative.")


def _write(result: RelaxResult, outputs: RelaxOutputs) -> None:
    if outputs.structure is not None:
        text = extxyz_text(result.atoms, result.energy, result.atoms.get_forces(apply_constraint=False))
        write_text(outputs.structure, text, outputs.overwrite)
    if outputs.plot is not None:
        steps = range(len(result.energies))
        energy_plot(outputs.plot, steps, {"energy": result.energies}, "step", outputs.overwrite)
