"""What a simulation writes: log, trajectory, checkpoint, and the last good frame if it fails."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from ase import Atoms

from sakeff.drivers.engine import Snapshot, frame_atoms
from sakeff.drivers.outputs import START, CsvLog, GrowingFile, Mark, extxyz_text, open_trajectory
from sakeff.drivers.restart import Restart, write_restart
from sakeff.drivers.settings import FS_PER_PS, MdSettings
from sakeff.io import refuse_existing, write_text

COLUMNS = ("step", "time_ps", "potential_eV", "kinetic_eV", "total_eV", "temperature_K", "ns_per_day")


class MdOutputs(NamedTuple):
    """Files of a run; None means that the file is not written."""

    log: Path | None = None
    trajectory: Path | None = None  # .dcd (with a .pdb beside it) or extended XYZ
    checkpoint: Path | None = None
    energy_plot: Path | None = None
    temperature_plot: Path | None = None
    last_good: Path | None = None  # written only if the run fails
    overwrite: bool = False

    def refuse_existing(self) -> None:
        """Raise OutputExistsError if any of the files is there and overwriting was not asked for."""
        paths = [Path(path) for path in self[:-1] if path is not None]
        for path in [*paths, *(path.with_suffix(".pdb") for path in paths if path.suffix == ".dcd")]:
            refuse_existing(path, self.overwrite)


def outputs_in(folder: Path, trajectory: str = "trajectory.dcd", overwrite: bool = False) -> MdOutputs:
    """All files of a run under their usual names in one folder."""
    folder = Path(folder)
    return MdOutputs(
        log=folder / "log.csv",
        trajectory=folder / trajectory,
        checkpoint=folder / "checkpoint.npz",
        energy_plot=folder / "energy.png",
        temperature_plot=folder / "temperature.png",
        last_good=folder / "last_good.xyz",
        overwrite=overwrite,
    )


class Recorder:
    """Open files of a running simulation; a context manager that closes them."""

    def __init__(
        self, atoms: Atoms, settings: MdSettings, outputs: MdOutputs, restart: Restart | None, signature: str
    ) -> None:
        self._atoms, self._settings, self._outputs, self._signature = atoms.copy(), settings, outputs, signature
        self.rows: list[tuple[float, ...]] = []
        self._log = self._trajectory = None
        self._files = ExitStack()
        interval = settings.frame_every * settings.timestep_fs / FS_PER_PS
        if outputs.log is not None:
            self._log = CsvLog(outputs.log, COLUMNS, restart.log if restart else None, outputs.overwrite)
            self._files.callback(self._log.close)
            self.rows.extend(self._log.previous)
        if outputs.trajectory is not None:
            mark = restart.trajectory if restart else None
            self._trajectory = open_trajectory(outputs.trajectory, atoms, interval, mark, outputs.overwrite)
            self._files.callback(self._trajectory.close)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *problem: object) -> None:
        self._files.close()

    def record(self, step: int, row: tuple[float, ...], frame: Snapshot, state: Callable[[], bytes]) -> None:
        """Log a row; add a frame and a checkpoint when they are due."""
        self.rows.append(row)
        if self._log is not None:
            self._log.write(row)
        if self._trajectory is not None and step % self._settings.frame_every == 0:
            self._trajectory.write(frame_atoms(self._atoms, frame), frame.potential, step=step, time_ps=row[1])
        if step % self._settings.checkpoint_every == 0:
            self.save_checkpoint(step, state)

    def save_checkpoint(self, step: int, state: Callable[[], bytes]) -> Path | None:
        """Replace the checkpoint atomically, if there is to be one; returns where it is."""
        if self._outputs.checkpoint is not None:
            log, trajectory = self._mark(self._log), self._mark(self._trajectory)
            write_restart(self._outputs.checkpoint, Restart(step, state(), log, trajectory), self._signature)
        return self._outputs.checkpoint

    def rescue(self, atoms: Atoms, potential: float, step: int) -> str:
        """Write the last good frame; returns where it is, for the message."""
        if self._outputs.last_good is None:
            return "not saved (no file was named for it)"
        write_text(self._outputs.last_good, extxyz_text(atoms, potential, step=step), overwrite=True)
        return f"in {self._outputs.last_good}"

    @staticmethod
    def _mark(file: GrowingFile | None) -> Mark:
        return START if file is None else file.mark()
