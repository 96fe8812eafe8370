"""The OpenMM engine: leapfrog Verlet and middle-scheme Langevin dynamics of OpenMM, with the model as a force."""

import math
from importlib import import_module
from typing import Any

from ase import Atoms, units

from sakeff.drivers.engine import Snapshot, degrees_of_freedom
from sakeff.drivers.settings import FS_PER_PS, MdSettings
from sakeff.drivers.topology import box_of, to_openmm, topology_of
from sakeff.errors import ConfigError, EngineUnavailableError, SimulationError
from sakeff.structures import first_line
from sakeff.units import ANGSTROM_PER_NM, KJ_PER_MOL_PER_EV

# Lists of fixed length have room for so many times the edges there are; for steps in which those do not fit it grows by
# so much, so many times.
FIRST_ROOM, MORE_ROOM, MOST_GROWTHS = 1.3, 4.0, 3
# ASE velocities (A per ASE time unit) to nm/ps
NM_PER_PS = FS_PER_PS * units.fs / ANGSTROM_PER_NM


class OpenmmEngine:
    """An OpenMM context for ``atoms``.

    ``platform`` is OpenMM's name of it (default: the fastest that works), ``precision`` that of GPU platforms; the
    other options are those of ``sakeff.openmm_system``: backend, dtype, skin, device. With ``cuda_graphs`` neighbour
    lists have a fixed length, see ``graph_room`` there; where edges no longer fit, the engine goes back to where it was
    at the start of ``advance``, makes more room and repeats the steps.
    """

    def __init__(
        self,
        atoms: Atoms,
        model: Any,
        settings: MdSettings,
        platform: str | None = None,
        precision: str | None = None,
        cuda_graphs: bool = False,
        **system_options: Any,
    ) -> None:
        self._mm = import_module("openmm")
        self._box = box_of(atoms)
        self._masses = atoms.get_masses()[:, None]
        self._atoms, self._model, self._settings, self._options = atoms, model, settings, system_options
        self._platform = platform, precision
        self.graph_room = FIRST_ROOM if cuda_graphs else None
        self.growths = 0  # how often the lists were too short
        self._open(atoms)
        rotation = self._box.rotation
        self.context.setPositions(atoms.positions @ rotation.T / ANGSTROM_PER_NM)
        self.context.setVelocities(atoms.get_velocities() @ rotation.T * NM_PER_PS)

    def _open(self, atoms: Atoms) -> None:
        """A new context without positions; lists of fixed length get room for the edges of ``atoms``."""
        mm = self._mm
        system = _system(atoms, self._model, {**self._options, "graph_room": self.graph_room})
        removes_motion = any(isinstance(force, mm.CMMotionRemover) for force in system.getForces())
        self.degrees_of_freedom = degrees_of_freedom(atoms, "nve" if removes_motion else self._settings.ensemble)
        self.integrator = INTEGRATORS[self._settings.ensemble](mm, self._settings)
        self.context = _context(mm, system, self.integrator, *self._platform)
        if self._box.vectors is not None:
            self.context.setPeriodicBoxVectors(*to_openmm(self._box.vectors))

    def advance(self, steps: int) -> None:
        """Integrate; OpenMM notices NaN itself."""
        if self.graph_room is None:
            self._step(steps)
            return
        before = self.state()
        for _ in range(MOST_GROWTHS):
            try:
                self._step(steps)
                self._check_energy()
            except SimulationError:
                self.graph_room *= MORE_ROOM
                self._open_at(before)
                self.growths += 1
            else:
                self.graph_room = FIRST_ROOM
                return
        self._step(steps)
        self._check_energy()

    def _step(self, steps: int) -> None:
        try:
            self.integrator.step(steps)
        except self._mm.OpenMMException as error:
            raise SimulationError(f"OpenMM reported: {first_line(error)}") from error

    def _check_energy(self) -> None:
        """Raise SimulationError where edges did not fit: OpenMM itself notices NaN only when it has spread."""
        if not math.isfinite(self.snapshot().potential):
            raise SimulationError("The potential energy is not finite.")

    def _open_at(self, state: bytes) -> None:
        """A context in this state, with lists of fixed length for the edges there."""
        self.context.loadCheckpoint(state)
        here = self._atoms.copy()
        here.positions = self.snapshot().positions
        self._open(here)
        self.context.loadCheckpoint(state)

    def snapshot(self) -> Snapshot:
        """Positions, momenta and energies now; velocities are those of the integrator, perhaps half a step away."""
        try:
            state = self.context.getState(positions=True, velocities=True, energy=True)
        except self._mm.OpenMMException as error:
            raise SimulationError(f"OpenMM reported: {first_line(error)}") from error
        rotation = self._box.rotation
        velocities = state.getVelocities(asNumpy=True)._value @ rotation / NM_PER_PS
        return Snapshot(
            state.getPositions(asNumpy=True)._value @ rotation * ANGSTROM_PER_NM,
            velocities * self._masses,
            state.getPotentialEnergy()._value / KJ_PER_MOL_PER_EV,
            state.getKineticEnergy()._value / KJ_PER_MOL_PER_EV,
        )

    def state(self) -> bytes:
        """OpenMM's own checkpoint, which continues exactly on the same platform."""
        return self.context.createCheckpoint()

    def restore(self, state: bytes) -> None:
        """Load a checkpoint; raises ConfigError if it was made on another platform or version."""
        try:
            self.context.loadCheckpoint(state)
        except self._mm.OpenMMException as error:
            raise ConfigError(
                f"OpenMM cannot load the checkpoint ({first_line(error)}); resume on the same machine and platform."
            ) from error
        if self.graph_room is not None:
            self._open_at(state)


def _system(atoms: Atoms, model: Any, options: dict[str, Any]) -> Any:
    import sakeff
    from sakeff.electrons import electrons

    build = sakeff.openmm_system  # says what to install where OpenMM is missing
    charge, spin = electrons(atoms)
    positions = atoms.positions @ box_of(atoms).rotation.T * import_module("openmm").unit.angstrom
    system = build(model, topology_of(atoms), charge=charge, spin=spin, positions=positions, **options)
    if atoms.has("masses"):  # isotopes; OpenMM's own are those of the elements
        for index, mass in enumerate(atoms.get_masses()):
            system.setParticleMass(index, float(mass))
    return system


def _context(mm: Any, system: Any, integrator: Any, platform: str | None, precision: str | None) -> Any:
    """A context on the platform asked for, or on the fastest one."""
    if platform is None:
        if precision is not None:
            raise ConfigError("precision needs a platform (CUDA, HIP or OpenCL); name the platform too.")
        return mm.Context(system, integrator)
    names = [mm.Platform.getPlatform(index).getName() for index in range(mm.Platform.getNumPlatforms())]
    if platform not in names:
        raise EngineUnavailableError(f"OpenMM has no platform {platform!r} here; choose one of {names}.")
    properties = {} if precision is None else {"Precision": precision}
    try:
        return mm.Context(system, integrator, mm.Platform.getPlatformByName(platform), properties)
    except mm.OpenMMException as error:
        raise EngineUnavailableError(
            f"OpenMM's platform {platform} does not take this system ({first_line(error)}); try another platform."
        ) from error


def _nve(mm: Any, settings: MdSettings) -> Any:
    return mm.VerletIntegrator(settings.timestep_fs / FS_PER_PS)


def _nvt(mm: Any, settings: MdSettings) -> Any:
    timestep = settings.timestep_fs / FS_PER_PS
    integrator = mm.LangevinMiddleIntegrator(settings.temperature, settings.friction, timestep)
    # OpenMM takes 0 for "a new seed each time": seeds are shifted by one.
    integrator.setRandomNumberSeed(settings.seed + 1)
    return integrator


INTEGRATORS = {"nve": _nve, "nvt": _nvt}
