"""Learning curve and parity plots as PNG, without pyplot's global state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sakeff.data.frames import Frames
from sakeff.io import atomic_path
from sakeff.training.evaluate import Evaluation

DOTS = 20000  # force components drawn at most, evenly picked


def plot_learning_curve(records: List[Dict[str, Any]], path: Path) -> None:
    """Force and energy MAE of the training and validation records against the step, both axes logarithmic."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    keys = ("force_mae_meV_per_A", "energy_mae_meV")
    for axes, key, label in zip(figure.subplots(1, 2), keys, ("force MAE / meV/Å", "energy MAE / meV"), strict=True):
        for split in ("train", "validation"):
            points = [(r["step"], r[key]) for r in records if r["split"] == split and r.get(key)]
            if points:
                axes.loglog(*zip(*points, strict=True), label=split)
                axes.legend()
        axes.set_xlabel("step")
        axes.set_ylabel(label)
    _save(figure, path)


def plot_parity(frames: Frames, evaluation: Evaluation, path: Path) -> None:
    """Predicted against true energies (shifted by the mean of the truth) and force components."""
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    energies, forces = figure.subplots(1, 2)
    labelled = np.isfinite(frames.energy)
    if labelled.any():
        mean = frames.energy[labelled].mean()
        _parity(energies, frames.energy[labelled] - mean, evaluation.energy[labelled] - mean)
    energies.set_title(f"energy / eV, MAE {evaluation.metrics['energy_mae_meV']:.2f} meV")
    every = max(1, frames.forces.size // DOTS)
    _parity(forces, frames.forces.reshape(-1)[::every], evaluation.forces.reshape(-1)[::every])
    forces.set_title(f"forces / eV/Å, MAE {evaluation.metrics['force_mae_meV_per_A']:.2f} meV/Å")
    _save(figure, path)


def _parity(axes: Axes, truth: np.ndarray, predicted: np.ndarray) -> None:
    low, high = float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))
    axes.plot([low, high], [low, high], color="0.6", linewidth=1)
    axes.plot(truth, predicted, ".", markersize=2)
    axes.set_xlabel("reference")
    axes.set_ylabel("predicted")


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with atomic_path(path, overwrite=True) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
