"""The main job, end to end: relax bundled structures with bundled models, then run OpenMM dynamics of riboflavin.

    python scripts/demo.py                                  # what `make demo` runs
    python scripts/demo.py --model runs/mine/model --ps 1   # any checkpoint or exported file

Everything goes into demo-output/, which is replaced. Ends with exit code 1 if a relaxation does not converge.
"""

import argparse
import datetime as dt
import json
import platform
import sys
import time
from pathlib import Path

import mdtraj
import torch

from sakeff.drivers import MdSettings, RelaxResult, outputs_in, relax, relaxation_in, run_md, steps_in
from sakeff.drivers.report import table
from sakeff.errors import SakeffError
from sakeff.io import write_text
from sakeff.structures import load_structure

MODELS = ["so3krates-gfn2", "sake-gfn2"]
STRUCTURES = ["riboflavin", "ala10_helix", "ala10_extended"]
FMAX = 0.01  # eV/A
MAX_STEPS = 3000
TIMESTEP = 0.5  # fs
TEMPERATURE = 300.0  # K
REPORT = "report.json"
FRICTION = 10.0  # 1/ps: a start at a minimum is warm again after some 0.2 ps


def main(arguments: list[str] | None = None) -> int:
    """Run everything; returns the exit code."""
    options = _parser().parse_args(arguments)
    models = options.model or MODELS
    began = time.perf_counter()
    try:
        relaxed = {
            (name, model): _relax(name, model, options) for model in models for name in options.structure or STRUCTURES
        }
        print(_table(relaxed), end="\n\n")
        write_text(options.out / REPORT, json.dumps(_report(relaxed), indent=2) + "\n", overwrite=True)
        start = relaxed.get(("riboflavin", models[0])) or next(iter(relaxed.values()))
        _dynamics(start, models[0], options)
    except SakeffError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"\nAll files are in {options.out}; {time.perf_counter() - began:.0f} s in all.")
    failed = [" with ".join(key) for key, result in relaxed.items() if not result.converged]
    if failed:
        print(f"Not converged: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _relax(name: str, model: str, options: argparse.Namespace) -> RelaxResult:
    print(f"Relaxing {name} with {model}", flush=True)
    folder = options.out / f"{name}-{Path(model).name}"
    return relax(
        load_structure(name),
        model,
        fmax=FMAX,
        steps=options.max_steps,
        reference=load_structure(f"{name}_gfn2"),
        outputs=relaxation_in(folder, overwrite=True),
        progress=True,
    )


def _table(results: dict[tuple[str, str], RelaxResult]) -> str:
    header = ["structure", "model", "steps", "final fmax / eV/A", "RMSD to GFN2-xTB / A", "wall time / s"]
    rows = [
        [name, Path(model).name, str(r.steps), f"{r.fmax:.4f}", f"{r.rmsd:.3f}", f"{r.seconds:.1f}"]
        for (name, model), r in results.items()
    ]
    return table(header, rows, right=(2, 3, 4, 5))


def _report(results: dict[tuple[str, str], RelaxResult]) -> dict:
    """The table with the machine and the date, for README.md."""
    rows = [
        {
            "structure": name,
            "model": Path(model).name,
            "steps": r.steps,
            "fmax": r.fmax,
            "rmsd": r.rmsd,
            "seconds": r.seconds,
        }
        for (name, model), r in results.items()
    ]
    machine = f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return {"relaxations": rows, "machine": machine, "date": dt.date.today().isoformat()}


def _dynamics(start: RelaxResult, model: str, options: argparse.Namespace) -> None:
    """NVT through a TorchForce; the trajectory is opened with mdtraj, as a user would."""
    print(f"OpenMM TorchForce dynamics of {start.atoms.info['name']} with {model}, {options.ps} ps", flush=True)
    files = outputs_in(options.out / "dynamics", overwrite=True)
    settings = MdSettings(steps_in(options.ps, TIMESTEP), "nvt", TIMESTEP, TEMPERATURE, FRICTION)
    result = run_md(start.atoms, model, settings, "openmm", files, progress=True, backend="torch")
    trajectory = mdtraj.load(str(files.trajectory), top=str(files.trajectory.with_suffix(".pdb")))
    print(f"{result.steps} steps, {result.seconds:.1f} s, {result.ns_per_day:.3f} ns/day")
    late = result.temperature[len(result.temperature) // 2 :]
    print(f"mean temperature {late.mean():.1f} K over the second half")
    print(f"mdtraj reads {trajectory.n_frames} frames of {trajectory.n_atoms} atoms from {files.trajectory}")
    print(f"plots: {files.energy_plot} and {files.temperature_plot}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help=f"name, folder or file; repeat it (default: {MODELS})")
    parser.add_argument("--structure", action="append", help=f"bundled name; repeat it (default: {STRUCTURES})")
    parser.add_argument("--ps", type=float, default=2.0, help="length of the dynamics (default: %(default)s)")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS, help="of a relaxation (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
