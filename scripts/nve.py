"""NVE of the bundled ethanol models: does the total energy drift, and does its fluctuation fall as dt^2?

    python -m scripts.nve
    python -m scripts.nve --models runs/mine/model --output runs/nve

Each model starts from one state equilibrated at 300 K and runs in float64 through ASE and through an OpenMM TorchForce,
with 0.5 and 1.0 fs. Prints a table and writes nve.json and nve.png, by default beside the cards of the models.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from matplotlib.figure import Figure

import sakeff
from sakeff.drivers.md import MdResult, run_md
from sakeff.drivers.prepare import equilibrated, relaxed_start
from sakeff.drivers.report import table
from sakeff.drivers.settings import MdSettings, steps_in
from sakeff.io import atomic_path, refuse_existing, write_text
from sakeff.zoo import list_models, models_folder

MODELS = ("so3krates-md17-ethanol", "sake-md17-ethanol")
SAMPLE_FS = 5.0  # between samples of the total energy
STEPS_FS = (0.5, 1.0)
MEV = 1000.0
# OpenMM's Reference platform is double precision throughout.
ENGINES: dict[str, dict[str, Any]] = {
    "ASE": {"engine": "ase", "dtype": "float64"},
    "TorchForce": {"engine": "openmm", "platform": "Reference", "backend": "torch", "dtype": "float64"},
}


class Conservation(NamedTuple):
    """What a run says: drift and its standard error (meV/atom/ps), fluctuation around the drift (meV/atom)."""

    slope: float
    slope_error: float
    fluctuation: float


def settings(timestep_fs: float, picoseconds: float, ensemble: str = "nve") -> MdSettings:
    """A run sampled every 5 fs."""
    every = round(SAMPLE_FS / timestep_fs)
    steps = steps_in(picoseconds, timestep_fs)
    return MdSettings(steps, ensemble, timestep_fs, log_every=every, frame_every=every, checkpoint_every=1000 * every)


def hot_ethanol(model: Any, picoseconds: float) -> Atoms:
    """The bundled ethanol, relaxed and equilibrated at 300 K with ``model``, without net motion."""
    start = ase.io.read(Path(sakeff.__file__).parent / "structures" / "ethanol.xyz")
    options = {"dtype": "float64"} if isinstance(model, (str, Path)) else {}
    relaxed = relaxed_start(start, model, **options)
    warm_up = settings(0.5, picoseconds, "nvt")
    return equilibrated(relaxed, model, warm_up, warm_up.steps, "ase", **options)


def conservation(result: MdResult) -> Conservation:
    """Slope of the total energy, its standard error, and the root mean square of what is left."""
    line = np.polyfit(result.time_ps, result.total, 1)
    residual = result.total - np.polyval(line, result.time_ps)
    return Conservation(*result.drift, float(residual.std()) / len(result.atoms) * MEV)


def run_model(model: str, picoseconds: float, equilibration: float, progress: bool) -> dict[str, MdResult]:
    """Both engines at both time steps from one state: {"ASE 0.5 fs": ...}."""
    start = hot_ethanol(model, equilibration)
    return {
        f"{name} {step} fs": run_md(start, model, settings(step, picoseconds), progress=progress, **options)
        for name, options in ENGINES.items()
        for step in STEPS_FS
    }


def plot(results: dict[str, dict[str, MdResult]]) -> Figure:
    """Total energy per atom of every run, one panel for each model."""
    figure = Figure(figsize=(8, 3 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 1, squeeze=False)[:, 0]
    for panel, (model, runs) in zip(panels, results.items(), strict=True):
        for label, run in runs.items():
            panel.plot(run.time_ps, (run.total - run.total[0]) / len(run.atoms) * MEV, label=label, lw=0.5)
        panel.set(title=model, xlabel="time / ps", ylabel="total energy / meV per atom")
        panel.legend()
    return figure


def write(
    folder: Path, results: dict[str, dict[str, MdResult]], conditions: dict[str, float], overwrite: bool = False
) -> str:
    """Write nve.json and nve.png; returns a table."""
    found = {model: {label: conservation(run) for label, run in runs.items()} for model, runs in results.items()}
    document = {model: {label: one._asdict() for label, one in runs.items()} for model, runs in found.items()}
    text = json.dumps({"conditions": conditions, "runs": document}, indent=1) + "\n"
    write_text(folder / "nve.json", text, overwrite=overwrite)
    with atomic_path(folder / "nve.png", overwrite=overwrite) as temporary:
        plot(results).savefig(temporary, dpi=150)
    header = ["model", "run", "slope meV/atom/ps", "+-", "fluctuation meV/atom"]
    rows = [[m, label, *(f"{x:.5f}" for x in one)] for m, runs in found.items() for label, one in runs.items()]
    return table(header, rows, right=(2, 3, 4))


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS), help="names or folders")
    parser.add_argument("--output", type=Path, help="folder for nve.json and nve.png  [default: those of the models]")
    parser.add_argument("--ps", type=float, default=20.0, help="length of each run")
    parser.add_argument("--equilibration", type=float, default=5.0, help="ps of Langevin dynamics before")
    arguments = parser.parse_args()
    if arguments.output is None and not set(arguments.models) <= set(list_models()):
        parser.error("models that are not bundled need --output")
    for name in ("nve.json", "nve.png") if arguments.output else ():
        refuse_existing(arguments.output / name, overwrite=False)
    conditions = {"ps": arguments.ps, "equilibration_ps": arguments.equilibration, "temperature_K": 300.0}
    results = {}
    for model in arguments.models:
        results[model] = run_model(model, arguments.ps, arguments.equilibration, progress=True)
        if arguments.output is None:
            print(write(models_folder() / model, {model: results[model]}, conditions, overwrite=True))
    if arguments.output is not None:
        print(write(arguments.output, results, conditions))


if __name__ == "__main__":
    main()
