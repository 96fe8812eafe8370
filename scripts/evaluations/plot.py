"""docs/pairs.png: the approach of every pair, GFN2-xTB and each model."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from evaluations.references import PairScan
from sakeff.io import atomic_path

COLUMNS = 5
STYLES = ("-", "--", ":")  # of orientations
REFERENCE = "GFN2-xTB"
LEFT, RIGHT, TOP = 1.8, 6.0, 0.25  # A, A, eV


def write_plot(path: Path, models: dict[str, Any], references: list[PairScan]) -> None:
    """Draw and write, over what is there."""
    with atomic_path(path, overwrite=True) as temporary:
        plot(models, references).savefig(temporary, format="png", dpi=110)


def plot(models: dict[str, Any], references: list[PairScan]) -> Figure:
    """One panel for each pair, one colour for each method, one line style for each orientation."""
    names = list(dict.fromkeys(one.pair for one in references))
    figure = Figure(figsize=(3.1 * COLUMNS, 2.4 * -(-len(names) // COLUMNS) + 0.5), layout="constrained")
    axes = figure.subplots(-(-len(names) // COLUMNS), COLUMNS, squeeze=False, sharex=True).ravel()
    curves = {REFERENCE: [one.energies for one in references]}
    curves.update((name, [one["energies_eV"] for one in entry["pairs"]]) for name, entry in models.items())
    colours = dict(zip(curves, ("black", *(f"C{k}" for k in range(len(models)))), strict=True))
    for name, panel in zip(names, axes, strict=False):
        chosen = [k for k, one in enumerate(references) if one.pair == name]
        for method, energies in curves.items():
            for k, style in zip(chosen, STYLES, strict=False):
                panel.plot(references[k].distances, energies[k], style, color=colours[method], lw=1.0)
        _frame(panel, name, min(float(references[k].energies.min()) for k in chosen))
    lines = [Line2D([], [], color=colour, label=method) for method, colour in colours.items()]
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), fontsize=9)
    figure.supxlabel("distance between centres of mass / A", fontsize=9)
    figure.supylabel("interaction energy / eV", fontsize=9)
    return figure


def _frame(panel: Axes, name: str, minimum: float) -> None:
    panel.axhline(0.0, color="grey", lw=0.5)
    panel.set(title=name, xlim=(LEFT, RIGHT), ylim=(np.minimum(2.0 * minimum, -0.1), TOP))
    panel.title.set_fontsize(9)
    panel.tick_params(labelsize=8)
