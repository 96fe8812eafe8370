"""docs/benchmark.png: time per evaluation against atoms, log-log, one panel for each device that was measured."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.entries import OURS
from sakeff.io import atomic_path

MILLI = 1000.0
DEVICE_NAMES = {"cpu": "CPU", "cuda": "GPU"}
DPI = 130


def write_plot(path: Path, runs: dict[str, Any], overwrite: bool) -> None:
    """Draw and write."""
    with atomic_path(path, overwrite) as temporary:
        plot(runs).savefig(temporary, dpi=DPI)


def plot(runs: dict[str, Any]) -> Figure:
    """The figure."""
    measured = {device: run for device, run in runs.items() if "evaluations" in run}
    figure = Figure(figsize=(7.5 * max(1, len(measured)), 5.5), layout="constrained")
    panels = figure.subplots(1, max(1, len(measured)), squeeze=False)[0]
    for panel, (device, run) in zip(panels, measured.items(), strict=False):
        draw(panel, device, run)
    return figure


def draw(panel: Axes, device: str, run: dict[str, Any]) -> None:
    """One curve for each main entry; ours solid, others dashed."""
    for key, entry in run["entries"].items():
        points = curve(run, key)
        if entry["is_main"] and points:
            style = "o-" if entry["package"] == OURS else "s--"
            panel.plot(*zip(*points, strict=True), style, label=entry["label"].removesuffix(", exported file"), ms=4)
    machine = run["machine"]
    title = machine["gpu"] or f"{machine['processor']}, {run['settings']['threads']} threads"
    panel.set(xscale="log", yscale="log", xlabel="atoms", ylabel="energy and forces / ms")
    panel.set_title(f"{DEVICE_NAMES[device]}: {title}, {machine['date'].split()[0]}", fontsize=9)
    panel.grid(which="both", alpha=0.25)
    panel.legend(fontsize=8)


def curve(run: dict[str, Any], key: str) -> list[tuple[int, float]]:
    """(atoms, ms) of what was measured, by atoms."""
    points = [
        (run["structures"][name]["atoms"], entries[key]["steady_s"]["median"] * MILLI)
        for name, entries in run["evaluations"].items()
        if "steady_s" in entries.get(key, {})
    ]
    return sorted(points)
