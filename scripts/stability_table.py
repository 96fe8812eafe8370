"""The tables of models/stability.json, for the page and for the README."""

from typing import Any

import numpy as np


def stability_table(document: dict[str, Any]) -> str:
    """Two Markdown tables: NVT, one row for each model and task, and NVE."""
    lines = [
        "| model | structure | T (K) | runs | broken, new bonds | longest bond (x start) | mean T (K) | stable |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for model, found in document.items():
        tasks = dict.fromkeys((row["structure"], row["temperature_K"]) for row in found["nvt"])
        for structure, temperature in tasks:
            same = [r for r in found["nvt"] if (r["structure"], r["temperature_K"]) == (structure, temperature)]
            lines.append(f"| `{model}` | {structure} | {temperature:g} | {_summary(same)} |")
    lines += ["", "| model | NVE of riboflavin | slope (meV/atom/ps) |", "| --- | --- | --- |"]
    for model, found in document.items():
        nve = found["nve"]
        said = nve["failure"] or f"{nve['slope_meV_per_atom_ps']:.4f} +- {nve['slope_error']:.4f}"
        lines.append(f"| `{model}` | {nve.get('picoseconds', 0):g} ps | {said} |")
    return "\n".join(lines)


def _summary(rows: list[dict[str, Any]]) -> str:
    lengths = " + ".join(f"{row['picoseconds']:g}" for row in rows)
    same = len({row["picoseconds"] for row in rows}) == 1
    bonds = (sum(len(row[key]) for row in rows) for key in ("broken_bonds", "new_bonds"))
    cells = [
        f"{len(rows)} x {rows[0]['picoseconds']:g} ps" if same else f"{lengths} ps",
        ", ".join(map(str, bonds)),
        f"{max(row['largest_stretch'] for row in rows):.2f}",
        f"{np.mean([row['mean_temperature_K'] for row in rows]):.0f}",
        f"{sum(row['stable'] for row in rows)} of {len(rows)}",
    ]
    return " | ".join(cells)
