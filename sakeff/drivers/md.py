"""Molecular dynamics: one loop around an engine, which logs, watches, saves and resumes.

The integrators are ASE's and OpenMM's own (``md_ase``, ``md_openmm``).
"""

import json
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms, units
from tqdm import tqdm

from sakeff.drivers.calculators import identity
from sakeff.drivers.deviation import Doubt
from sakeff.drivers.engine import Engine, Snapshot, check_start, frame_atoms, thermalise
from sakeff.drivers.plots import energy_plot, temperature_plot
from sakeff.drivers.recorder import COLUMNS, MdOutputs, Recorder
from sakeff.drivers.report import Slope, drift
from sakeff.drivers.restart import Restart, read_restart
from sakeff.drivers.settings import FS_PER_PS, MdSettings
from sakeff.drivers.watch import Watch
from sakeff.electrons import electrons
from sakeff.errors import ConfigError, SakeffError, SimulationError, StoppedError, StructureError
from sakeff.signals import stop_request

ENGINES = {"ase": ("sakeff.drivers.md_ase", "AseEngine"), "openmm": ("sakeff.drivers.md_openmm", "OpenmmEngine")}
SECONDS_PER_DAY = 86400.0
NS_PER_FS = 1e-6


class MdResult(NamedTuple):
    """The end of a run and its log; arrays have one entry for each row, resumed runs include the rows before."""

    atoms: Atoms  # with momenta
    steps: int
    time_ps: np.ndarray
    potential: np.ndarray  # eV
    kinetic: np.ndarray  # eV
    total: np.ndarray  # eV
    temperature: np.ndarray  # K
    drift: Slope  # of the total energy, meV/atom/ps
    ns_per_day: float
    seconds: float


def check_engine(name: str, model: Any) -> None:
    """Raise ConfigError for an unknown engine, and for a committee (a list of models) with one that takes one model."""
    if name not in ENGINES:
        raise ConfigError(f"Unknown engine {name!r}; choose one of {sorted(ENGINES)}.")
    if isinstance(model, (list, tuple)) and name != "ase":
        raise ConfigError(f"The engine {name!r} runs one model; run a committee with the engine 'ase' (--engine ase).")


def make_engine(name: str, atoms: Atoms, model: Any, settings: MdSettings, **options: Any) -> Engine:
    """The engine called ``name`` ("ase" or "openmm"), ready to integrate ``atoms`` with ``model``."""
    check_engine(name, model)
    if atoms.constraints:
        raise StructureError("The md driver takes no constraints; remove them or use SAKECalculator with ASE.")
    module, factory = ENGINES[name]
    return getattr(import_module(module), factory)(atoms, model, settings, **options)


def run_md(
    atoms: Atoms,
    model: Any,
    settings: MdSettings,
    engine: str = "ase",
    outputs: MdOutputs | None = None,
    resume: bool = False,
    progress: bool = False,
    **options: Any,
) -> MdResult:
    """Simulate ``atoms`` with ``model`` (name, path, or for ASE also a calculator or a list of names and paths: a
    committee). The caller's atoms are not changed.

    ``options`` go to the engine (device, dtype; platform, backend, precision). With ``resume`` the run continues
    exactly from the checkpoint in ``outputs`` up to ``settings.steps``.

    Logs a warning at the first logged step where a committee disagrees by more than ``settings.max_deviation``.

    Raises SimulationError when numbers go non-finite or a bond explodes; the last good frame is saved then. Raises
    StoppedError after Ctrl-C or SIGTERM, with a checkpoint of the step that was reached.
    Raises OutputExistsError before anything is computed if an output is there.
    """
    outputs = outputs or MdOutputs()
    run = signature(atoms, settings, engine, identity(model), options.get("dtype"))
    restart = read_restart(outputs.checkpoint, run) if resume else None
    if restart is None:
        outputs.refuse_existing()
    check_start(atoms)
    atoms = thermalise(atoms, settings.temperature, settings.seed)
    driver = make_engine(engine, atoms, model, settings, **options)
    if restart is not None:
        driver.restore(restart.state)
    with Recorder(atoms, settings, outputs, restart, run) as recorder:
        seconds, last = _loop(atoms, driver, settings, recorder, progress, restart)
    result = _result(last, settings, recorder, seconds, restart)
    _plots(result, outputs)
    return result


def signature(atoms: Atoms, settings: MdSettings, engine: str, models: list[str], dtype: str | None) -> str:
    """What must be the same when a run is resumed: everything except the number of steps and what only warns."""
    fixed = {**asdict(settings), "steps": None, "engine": engine, "models": models, "dtype": dtype}
    fixed |= {"numbers": atoms.numbers.tolist(), "masses": atoms.get_masses().tolist(), "electrons": electrons(atoms)}
    fixed |= {"cell": atoms.cell.tolist(), "pbc": atoms.pbc.tolist()}
    del fixed["max_deviation"]
    return json.dumps(fixed, sort_keys=True)


def _loop(
    atoms: Atoms, engine: Engine, settings: MdSettings, recorder: Recorder, progress: bool, restart: Restart | None
) -> tuple[float, Atoms]:
    """Advance, watch, record until the last step; returns wall seconds and the last frame."""
    watch, doubt = Watch(atoms, settings.max_stretch), Doubt(atoms, settings.max_deviation)
    step, frame = restart.step if restart else 0, engine.snapshot()
    watch.check(frame.positions, frame.potential)
    doubt.check(frame.deviation, step)
    clock = _Clock(step, settings.timestep_fs)
    if restart is None:
        recorder.record(0, _row(0, frame, engine, settings, clock), frame, engine.state)
    silent = None if progress else True  # None: silent where there is no terminal
    with (
        stop_request() as request,
        tqdm(total=settings.steps, initial=step, unit="step", disable=silent, desc=settings.ensemble) as bar,
    ):
        while step < settings.steps:
            chunk = min(settings.log_every - step % settings.log_every, settings.steps - step)
            try:
                new = _advance(engine, chunk, watch)
            except SimulationError as error:
                raise _failure(error, step, frame_atoms(atoms, frame), frame.potential, recorder) from error
            step, frame = step + chunk, new
            doubt.check(frame.deviation, step)
            row = _row(step, frame, engine, settings, clock)
            recorder.record(step, row, frame, engine.state)
            bar.update(chunk)
            bar.set_postfix_str(f"T {row[5]:.0f} K, {row[6]:.2f} ns/day", refresh=False)
            if request.received and step < settings.steps:
                raise _stopped(request.received, step, recorder.save_checkpoint(step, engine.state))
    recorder.save_checkpoint(step, engine.state)
    return clock.seconds(), frame_atoms(atoms, frame)


def _advance(engine: Engine, steps: int, watch: Watch) -> Snapshot:
    engine.advance(steps)
    frame = engine.snapshot()
    watch.check(frame.positions, frame.potential)
    return frame


class _Clock:
    """Wall time since the run (or its resumed part) began."""

    def __init__(self, first_step: int, timestep_fs: float) -> None:
        self.began, self.first_step, self.timestep_fs = time.perf_counter(), first_step, timestep_fs

    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def ns_per_day(self, step: int) -> float:
        nanoseconds = (step - self.first_step) * self.timestep_fs * NS_PER_FS
        return nanoseconds * SECONDS_PER_DAY / self.seconds()


def _row(step: int, frame: Snapshot, engine: Engine, settings: MdSettings, clock: _Clock) -> tuple[float, ...]:
    """The columns of the log."""
    temperature = 2.0 * frame.kinetic / (engine.degrees_of_freedom * units.kB)
    total = frame.potential + frame.kinetic
    when = step * settings.timestep_fs / FS_PER_PS
    return (step, when, frame.potential, frame.kinetic, total, temperature, clock.ns_per_day(step))


def _failure(error: SakeffError, good: int, atoms: Atoms, potential: float, recorder: Recorder) -> SimulationError:
    place = recorder.rescue(atoms, potential, good)
    return SimulationError(
        f"The simulation stopped after step {good} because {error}; its last good frame is {place},"
        " so try a shorter time step, a relaxed start or a lower temperature."
    )


def _stopped(signal: str, step: int, checkpoint: Path | None) -> StoppedError:
    if checkpoint is None:
        return StoppedError(f"{signal} stopped the simulation after step {step}; no checkpoint was asked for.")
    return StoppedError(
        f"{signal} stopped the simulation after step {step}; {checkpoint} holds its state, continue with --resume."
    )


def _result(last: Atoms, settings: MdSettings, recorder: Recorder, seconds: float, restart: Restart | None) -> MdResult:
    columns = np.array(recorder.rows, np.float64).reshape(-1, len(COLUMNS)).T
    done = max(settings.steps - (restart.step if restart else 0), 0)
    return MdResult(
        atoms=last,
        steps=settings.steps,
        time_ps=columns[1],
        potential=columns[2],
        kinetic=columns[3],
        total=columns[4],
        temperature=columns[5],
        drift=drift(columns[1], columns[4], len(last)),
        ns_per_day=done * settings.timestep_fs * NS_PER_FS * SECONDS_PER_DAY / seconds,
        seconds=seconds,
    )


def _plots(result: MdResult, outputs: MdOutputs) -> None:
    if len(result.time_ps) == 0:  # resumed without a log, with nothing left to do
        return
    if outputs.energy_plot is not None:
        energies = {"potential": result.potential, "kinetic": result.kinetic, "total": result.total}
        energy_plot(outputs.energy_plot, result.time_ps, energies, "time / ps", overwrite=True)
    if outputs.temperature_plot is not None:
        temperature_plot(outputs.temperature_plot, result.time_ps, result.temperature, overwrite=True)
