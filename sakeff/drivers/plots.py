"""PNG plots of a run. They use matplotlib's objects, never its global state."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sakeff.errors import EngineUnavailableError
from sakeff.io import atomic_path


def energy_plot(
    path: Path, x: ArrayLike, energies: Mapping[str, np.ndarray | list[float]], xlabel: str, overwrite: bool
) -> None:
    """Energies relative to their first value, in eV, one line for each name.

    Raises EngineUnavailableError without matplotlib, OutputExistsError or OutputError.
    """
    relative = {name: np.asarray(values) - values[0] for name, values in energies.items()}
    line_plot(path, x, relative, xlabel, "energy - start / eV", overwrite)


def temperature_plot(path: Path, time_ps: ArrayLike, temperature: ArrayLike, overwrite: bool) -> None:
    """Instantaneous temperature in K and its running mean."""
    values = np.asarray(temperature)
    mean = np.cumsum(values) / np.arange(1, len(values) + 1)
    lines = {"instantaneous": values, "running mean": mean}
    line_plot(path, time_ps, lines, "time / ps", "temperature / K", overwrite)


def line_plot(
    path: Path, x: ArrayLike, lines: Mapping[str, np.ndarray], xlabel: str, ylabel: str, overwrite: bool
) -> None:
    """Lines over a common x, written atomically."""
    figure = new_figure()
    axes = figure.add_subplot()
    for name, values in lines.items():
        axes.plot(x, values, label=name, linewidth=1.0)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if len(lines) > 1:
        axes.legend()
    with atomic_path(Path(path), overwrite) as temporary:
        figure.savefig(temporary, format="png", dpi=150)


def new_figure():  # noqa: ANN201 (matplotlib is optional, its types are not imported)
    """An empty figure that can be saved without a display."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise EngineUnavailableError("Plots need matplotlib; install it with: pip install 'sakeff[train]'.") from error
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
