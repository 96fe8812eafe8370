"""The ASE engine: velocity Verlet and BAOAB Langevin dynamics of ``ase.md``."""

import io
import json
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from sakeff.drivers.calculators import calculator_for
from sakeff.drivers.deviation import deviation_of
from sakeff.drivers.engine import Snapshot, degrees_of_freedom
from sakeff.drivers.settings import MdSettings
from sakeff.drivers.watch import cause
from sakeff.errors import NeighbourError, SimulationError, StructureError


class AseEngine:
    """ASE dynamics on a copy of ``atoms`` with its own calculator."""

    def __init__(self, atoms: Atoms, model: Any, settings: MdSettings, **options: Any) -> None:
        self.atoms = atoms.copy()
        self.atoms.calc = calculator_for(model, **options)
        self.atoms.get_potential_energy()  # a bad structure is refused before the run begins
        self.degrees_of_freedom = degrees_of_freedom(atoms, settings.ensemble)
        self.rng = np.random.default_rng(settings.seed)
        self._settings = settings
        self.dynamics = DYNAMICS[settings.ensemble](self.atoms, settings, self.rng)

    def advance(self, steps: int) -> None:
        """Integrate; the calculator refuses positions that make no sense."""
        try:
            self.dynamics.run(steps)
        except (StructureError, NeighbourError) as error:
            raise SimulationError(cause(error)) from error

    def snapshot(self) -> Snapshot:
        """Positions, momenta, energies, and the force deviation of a committee, now."""
        return Snapshot(
            self.atoms.get_positions(),
            self.atoms.get_momenta(),
            float(self.atoms.get_potential_energy()),
            float(self.atoms.get_kinetic_energy()),
            deviation_of(self.atoms),
        )

    def state(self) -> bytes:
        """Positions, momenta and random numbers, bit for bit."""
        stream = io.BytesIO()
        rng = json.dumps(self.rng.bit_generator.state)
        np.savez(stream, positions=self.atoms.positions, momenta=self.atoms.get_momenta(), rng=np.asarray(rng))
        return stream.getvalue()

    def restore(self, state: bytes) -> None:
        """The integrator is made anew: it keeps nothing but forces, which it computes again."""
        with np.load(io.BytesIO(state), allow_pickle=False) as content:
            self.atoms.positions = content["positions"]
            self.atoms.set_momenta(content["momenta"])
            self.rng.bit_generator.state = json.loads(str(content["rng"]))
        self.dynamics = DYNAMICS[self._settings.ensemble](self.atoms, self._settings, self.rng)


def _nve(atoms: Atoms, settings: MdSettings, _rng: np.random.Generator) -> MolecularDynamics:
    return VelocityVerlet(atoms, timestep=settings.timestep_fs * units.fs)


def _nvt(atoms: Atoms, settings: MdSettings, rng: np.random.Generator) -> MolecularDynamics:
    from ase.md.langevinbaoab import LangevinBAOAB

    return LangevinBAOAB(
        atoms,
        timestep=settings.timestep_fs * units.fs,
        temperature_K=settings.temperature,
        T_tau=1000.0 * units.fs / settings.friction,
        rng=rng,
    )


DYNAMICS = {"nve": _nve, "nvt": _nvt}
