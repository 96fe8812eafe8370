"""Do the general models keep molecules whole? NVT and NVE of molecules that no training saw.

    python scripts/stability.py --runs runs/stability                              # the bundled general models
    python scripts/stability.py --models runs/mine/model --runs runs/stability --picoseconds 0.5 --output short.json

NVT (Langevin, 0.5 fs, float32): riboflavin at 300 and 500 K and the Ala10 helix at 300 K, three seeds each. The seeds
of a local model run as one structure, 1000 A apart, which costs about 0.7 times as much as one after the other; those
of a non-local model, whose atoms all see each other, run on their own. NVE (float64) goes on from the first riboflavin
at 300 K. A killed command, given again, goes on from the last whole picosecond. Each model takes its place in
models/stability.json, which only bundled models at full length enter; the tables are printed. Temperatures are those of
all copies that ran as one.
"""

import argparse
import csv
import json
import math
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from ase.md.velocitydistribution import Stationary
from bond_checks import Bonds
from general_models import GENERAL
from stability_table import stability_table

from sakeff.checkpoint import read_document
from sakeff.drivers import MdResult, MdSettings, outputs_in, relaxed_start, run_md, steps_in
from sakeff.drivers.engine import thermalise
from sakeff.errors import ConfigError, SakeffError, SimulationError
from sakeff.io import atomic_path, write_text
from sakeff.structures import load_structure
from sakeff.zoo import list_models, load_potential, models_folder, resolve_model

TIMESTEP_FS = 0.5
SAMPLE_STEPS = 20
CHECKPOINT_STEPS = 2000
SEEDS = (0, 1, 2)
APART = 1000.0  # A, between the copies of a batch
HOTTEST = 3.0  # times the target temperature: more is an explosion
LARGEST_SLOPE = 0.02  # meV/atom/ps


class Task(NamedTuple):
    """One simulation of a bundled structure."""

    structure: str
    temperature: float  # K
    picoseconds: float


NVT = (Task("riboflavin", 300.0, 10.0), Task("riboflavin", 500.0, 5.0), Task("ala10_helix", 300.0, 10.0))
NVE_PICOSECONDS = 10.0  # after the first task of NVT


class Run(NamedTuple):
    """A simulation of several copies of one structure, also one that failed."""

    result: MdResult | None  # None: it failed
    failure: str | None
    frames: np.ndarray  # (F, S, N, 3) A
    temperature: np.ndarray  # (F,) K, of all copies
    picoseconds: float
    steps_per_second: float  # of the last slice


def settings(picoseconds: float, temperature: float, seed: int, ensemble: str = "nvt") -> MdSettings:
    """Sampled every 10 fs, with a checkpoint every ps."""
    intervals = {"log_every": SAMPLE_STEPS, "frame_every": SAMPLE_STEPS, "checkpoint_every": CHECKPOINT_STEPS}
    return MdSettings(steps_in(picoseconds, TIMESTEP_FS), ensemble, TIMESTEP_FS, temperature, seed=seed, **intervals)


def batches(model: str) -> list[tuple[int, ...]]:
    """The seeds that can run together: all of a local potential."""
    local = all(math.isfinite(cutoff) for cutoff in load_potential(model).requests())
    return [SEEDS] if local else [(seed,) for seed in SEEDS]


def together(start: Atoms, temperature: float, seeds: tuple[int, ...]) -> Atoms:
    """One copy for each seed, 1000 A apart, with its own Maxwell-Boltzmann momenta."""
    batch = Atoms()
    for place, seed in enumerate(seeds):
        one = thermalise(start, temperature, seed)
        one.positions[:, 0] += place * APART
        batch += one
    return batch


def copy_of(batch: Atoms, start: Atoms, place: int) -> Atoms:
    """One copy out of a batch, back where its start was."""
    one = batch[place * len(start) : (place + 1) * len(start)]
    one.positions[:, 0] -= place * APART
    return one


def read_frames(trajectory: Path, copies: int) -> np.ndarray:
    """Positions (F, S, N, 3); copies stay 1000 A apart."""
    frames = np.array([atoms.positions for atoms in ase.io.iread(trajectory)])
    return frames.reshape(len(frames), copies, -1, 3)


def simulate(atoms: Atoms, model: str, chosen: MdSettings, folder: Path, copies: int, dtype: str) -> Run:
    """Run, or go on with what is in the folder."""
    resume = (folder / "checkpoint.npz").is_file()
    outputs = outputs_in(folder, "trajectory.xyz", overwrite=not resume)
    result, failure = None, None
    try:
        result = run_md(atoms, model, chosen, outputs=outputs, resume=resume, progress=True, dtype=dtype)
    except SimulationError as error:
        failure = str(error).replace(f"{folder}/", "")
    rows = list(csv.DictReader((folder / "log.csv").read_text(encoding="utf-8").splitlines()))
    return Run(
        result=result,
        failure=failure,
        frames=read_frames(folder / "trajectory.xyz", copies),
        temperature=np.array([float(row["temperature_K"]) for row in rows]),
        picoseconds=float(rows[-1]["time_ps"]),
        steps_per_second=float(rows[-1]["ns_per_day"]) * 1e6 / TIMESTEP_FS / 86400.0,
    )


def assessed(task: Task, seeds: tuple[int, ...], run: Run) -> list[dict[str, Any]]:
    """One row for each seed."""
    bonds = Bonds(load_structure(task.structure))
    hottest = float(run.temperature.max())
    cool = bool(np.isfinite(run.temperature).all()) and hottest < HOTTEST * task.temperature
    rows = []
    for place, seed in enumerate(seeds):
        frames = run.frames[:, place]
        broken, formed = bonds.broken(frames), bonds.formed(frames)
        rows.append(
            {
                "structure": task.structure,
                "temperature_K": task.temperature,
                "seed": seed,
                "picoseconds": run.picoseconds,
                "broken_bonds": broken,
                "new_bonds": formed,
                "largest_stretch": float(bonds.stretch(frames).max()),
                "mean_temperature_K": float(run.temperature[len(run.temperature) // 2 :].mean()),
                "highest_temperature_K": hottest,
                "failure": run.failure,
                "stable": run.failure is None and cool and not broken and not formed,
                "batch": len(seeds),
                "steps_per_second": run.steps_per_second,
            }
        )
    return rows


def conservation(run: Run) -> dict[str, Any]:
    """The slope of the total energy after equilibration."""
    if run.result is None:
        return {"failure": run.failure, "conserved": False}
    slope, error = run.result.drift
    return {
        "picoseconds": run.picoseconds,
        "slope_meV_per_atom_ps": slope,
        "slope_error": error,
        "failure": None,
        "conserved": abs(slope) <= LARGEST_SLOPE,
        "steps_per_second": run.steps_per_second,
    }


def relaxed(structure: str, model: str, folder: Path) -> Atoms:
    """The bundled structure relaxed to 0.05 eV/A with the model, kept in the folder."""
    path = folder / f"{structure}.xyz"
    if not path.is_file():
        with atomic_path(path) as temporary:
            ase.io.write(temporary, relaxed_start(load_structure(structure), model), format="extxyz")
    atoms: Any = ase.io.read(path)
    return Atoms(atoms.numbers, atoms.positions)


def run_model(model: str, runs: Path, scale: float) -> dict[str, Any]:
    """All tasks of one model. Other weights have another folder, and so have other lengths."""
    weights = read_document(resolve_model(model))["weights_sha256"]
    folder = runs / f"{slug(model)}-{weights[:8]}"
    rows: list[dict[str, Any]] = []
    first: Run | None = None
    for task in NVT:
        start, length = relaxed(task.structure, model, folder), scale * task.picoseconds
        for seeds in batches(model):
            atoms = together(start, task.temperature, seeds)
            place = folder / f"{task.structure}-{task.temperature:g}K-{length:g}ps-seeds-{'-'.join(map(str, seeds))}"
            run = simulate(atoms, model, settings(length, task.temperature, seeds[0]), place, len(seeds), "float32")
            rows += assessed(task, seeds, run)
            first = first or run
    length = scale * NVE_PICOSECONDS
    nve = energy_run(first, model, folder / f"nve-{length:g}ps", length)
    return {"weights_sha256": weights, "nvt": rows, "nve": nve}


def energy_run(equilibration: Run | None, model: str, folder: Path, picoseconds: float) -> dict[str, Any]:
    """NVE from the first copy at the end of the first task, without net motion."""
    if equilibration is None or equilibration.result is None:
        return {"failure": "the equilibration failed", "conserved": False}
    task = NVT[0]
    hot = copy_of(equilibration.result.atoms, load_structure(task.structure), 0)
    Stationary(hot, preserve_temperature=False)
    chosen = settings(picoseconds, task.temperature, SEEDS[0], "nve")
    return conservation(simulate(hot, model, chosen, folder, 1, "float64"))


def slug(model: str) -> str:
    """A name without folders: bundled, or that of the run."""
    path = Path(model)
    known = path.parent.name if path.name == "model" else path.name
    return model if model in list_models() else re.sub(r"[^\w.-]", "_", known)


def check_published(models: list[str], picoseconds: float) -> None:
    """Raise ConfigError for what the published document is not about."""
    others = [model for model in models if model not in list_models()]
    if others or picoseconds != NVT[0].picoseconds:
        raise ConfigError("models/stability.json holds full runs of bundled models; give another file with --output.")


def put(model: str, found: dict[str, Any], output: Path) -> dict[str, Any]:
    """The document as it is now, perhaps written by another process meanwhile, with this model in its place."""
    document = json.loads(output.read_text(encoding="utf-8")) if output.is_file() else {}
    document[slug(model)] = found
    write_text(output, json.dumps(document, indent=1) + "\n", overwrite=True)
    return document


def main() -> int:
    """Run every model, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=GENERAL, help="bundled names or checkpoint folders")
    parser.add_argument("--runs", type=Path, required=True, help="folder of all simulations; what is there goes on")
    parser.add_argument("--output", type=Path, help="JSON file  [default: models/stability.json]")
    parser.add_argument(
        "--picoseconds", type=float, default=NVT[0].picoseconds, metavar="PS",
        help="length of the first run; the others are scaled with it  [default: 10]")  # fmt: skip
    arguments = parser.parse_args()
    scale = arguments.picoseconds / NVT[0].picoseconds
    output = arguments.output or models_folder() / "stability.json"
    try:
        if arguments.output is None:
            check_published(arguments.models, arguments.picoseconds)
        for model in arguments.models:
            document = put(model, run_model(model, arguments.runs, scale), output)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(stability_table(document))
    return 0


if __name__ == "__main__":
    sys.exit(main())
