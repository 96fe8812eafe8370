"""Before the recorded run: relaxation and equilibration."""

from dataclasses import replace
from typing import Any

from ase import Atoms
from ase.md.velocitydistribution import Stationary

from sakeff.drivers.engine import thermalise
from sakeff.drivers.md import run_md
from sakeff.drivers.relax import relax
from sakeff.drivers.settings import MdSettings

RELAX_FMAX = 0.05  # eV/A: takes the heat out of a start structure
FIRST_SEED = 1_000_003  # the equilibration has other random numbers than the run


def relaxed_start(atoms: Atoms, model: Any, progress: bool = False, **options: Any) -> Atoms:
    """A copy of ``atoms`` relaxed to 0.05 eV/A, without momenta; ``options`` go to ``relax``."""
    start = relax(atoms, model, fmax=RELAX_FMAX, progress=progress, **options).atoms.copy()
    start.set_momenta(start.get_momenta() * 0.0)
    return start


def equilibrated(
    atoms: Atoms, model: Any, settings: MdSettings, steps: int, engine: str, progress: bool = False, **options: Any
) -> Atoms:
    """A copy of ``atoms`` with positions and momenta after ``steps`` of NVT at the temperature of ``settings``.

    Without net motion: OpenMM takes it out in its first step, which would look like a jump of the total energy.
    """
    start = thermalise(atoms, settings.temperature, settings.seed)
    warm_up = replace(settings, ensemble="nvt", steps=steps, seed=settings.seed + FIRST_SEED)
    hot = run_md(start, model, warm_up, engine, progress=progress, **options).atoms
    Stationary(hot, preserve_temperature=False)
    return hot
