"""docs/overlay.png: structures relaxed with each model, laid over the GFN2-xTB minimum."""

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluations.plot import REFERENCE
from sakeff.drivers.watch import bonds_of
from sakeff.io import atomic_path
from sakeff.structures import load_structure


def write_overlay(path: Path, models: dict[str, Any]) -> None:
    """Draw and write, over what is there."""
    with atomic_path(path, overwrite=True) as temporary:
        overlay(models).savefig(temporary, format="png", dpi=110)


def overlay(models: dict[str, Any]) -> Figure:
    """One panel for each structure, seen along its thinnest direction; bonds as lines, hydrogens left out."""
    names = list(dict.fromkeys(name for entry in models.values() for name in entry["relaxations"]))
    figure = Figure(figsize=(10, 4 * len(names)), layout="constrained")
    for name, panel in zip(names, figure.subplots(len(names), 1, squeeze=False)[:, 0], strict=True):
        minimum = load_structure(f"{name}_gfn2")
        view = principal_axes(minimum)
        _draw(panel, minimum, view, color="lightgrey", lw=5.0)
        for k, entry in enumerate(models.values()):
            relaxed = entry["relaxations"][name]
            _draw(panel, laid_over(minimum, np.array(relaxed["positions_A"])), view, color=f"C{k}", lw=1.2)
        distances = ", ".join(f"{entry['relaxations'][name]['rmsd_A']:.2f}" for entry in models.values())
        panel.set_title(f"{name}: RMSD of all atoms {distances} A", fontsize=9)
        panel.set_aspect("equal")
        panel.autoscale_view()
        panel.axis("off")
    lines = [Line2D([], [], color="lightgrey", lw=5.0, label=REFERENCE)]
    lines += [Line2D([], [], color=f"C{k}", label=name) for k, name in enumerate(models)]
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), fontsize=9)
    return figure


def laid_over(minimum: Atoms, positions: np.ndarray) -> Atoms:
    """The same atoms at `positions`, superposed on the minimum."""
    moved = Atoms(minimum.numbers, positions)
    minimize_rotation_and_translation(minimum, moved)
    return moved


def principal_axes(atoms: Atoms) -> np.ndarray:
    """The two longest directions of a structure, (2, 3)."""
    centred = atoms.positions - atoms.positions.mean(axis=0)
    return np.linalg.svd(centred, full_matrices=False)[2][:2]


def _draw(panel: Axes, atoms: Atoms, view: np.ndarray, **style: Any) -> None:
    heavy = atoms[atoms.numbers > 1]
    i, j, _ = bonds_of(heavy)
    flat = heavy.positions @ view.T
    panel.add_collection(LineCollection(np.stack([flat[i], flat[j]], axis=1), capstyle="round", **style))
