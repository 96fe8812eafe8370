"""The document of quality.py as markdown."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from evaluations.comparisons import COMPARISONS, conformer_energy, flags

MEV = 1000.0


def quality_tables(document: dict[str, Any]) -> str:
    """Minima, transfers and approach, one row for each model, then the approach once more, one row for each pair."""
    models = complete(document)
    return "\n\n".join(table(models) for table in (minima_table, transfer_table, approach_table, pairs_table))


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """The models whose comparisons are all done."""
    return {name: entry for name, entry in document["models"].items() if all(part in entry for part in COMPARISONS)}


def minima_table(models: dict[str, Any]) -> str:
    """RMSD of relaxed structures, relative energy of the two forms of Ac-Ala10-NH2, frequencies."""
    header = [
        "model",
        "riboflavin RMSD (A)",
        "Ala10 helix RMSD (A)",
        "Ala10 extended RMSD (A)",
        "E(helix) - E(extended) (eV)",
        "at the GFN2-xTB minima (eV)",
        "frequencies MAE (1/cm)",
    ]
    rows = [_minima_row(name, entry) for name, entry in models.items()]
    gfn2 = {f"{conformer_energy(entry['relaxations'], 'gfn2_energy_eV'):.3f}" for entry in models.values()}
    rows += [["GFN2-xTB", "0", "0", "0", energy, energy, "0"] for energy in sorted(gfn2)]
    return _markdown(header, rows)


def _minima_row(name: str, entry: dict[str, Any]) -> list[str]:
    relaxed = entry["relaxations"]
    return [
        f"`{name}`",
        *[_distance(relaxed[one]) for one in ("riboflavin", "ala10_helix", "ala10_extended")],
        f"{conformer_energy(relaxed, 'energy_eV'):.3f}",
        f"{conformer_energy(relaxed, 'energy_at_gfn2_minimum_eV'):.3f}",
        f"{np.mean([one['frequency_mae_per_cm'] for one in entry['molecules']]):.1f}",
    ]


def _distance(relaxed: dict[str, Any]) -> str:
    return f"{relaxed['rmsd_A']:.3f}" + ("" if relaxed["converged"] else " (not converged)")


def transfer_table(models: dict[str, Any]) -> str:
    """What the hydrogens of bridges are asked for on their way over: the lowest and the mean barrier, and the error."""
    header = ["model", "transfers", "lowest barrier (eV)", "mean barrier (eV)", "MAE (eV)"]
    rows = [
        _transfer_row(f"`{name}`", [(one["barrier_eV"], one["gfn2_barrier_eV"]) for one in entry["transfers"]])
        for name, entry in models.items()
    ]
    of_gfn2 = [[(one["gfn2_barrier_eV"],) * 2 for one in entry["transfers"]] for entry in models.values()]
    return _markdown(header, rows + [_transfer_row("GFN2-xTB", one) for one in of_gfn2[:1]])


def _transfer_row(name: str, barriers: list[tuple[float, float]]) -> list[str]:
    own, gfn2 = np.array(barriers).T
    return [name, str(len(own)), f"{own.min():.2f}", f"{own.mean():.2f}", f"{np.abs(own - gfn2).mean():.2f}"]


def approach_table(models: dict[str, Any]) -> str:
    """How many scans have a hole, a kink or a wall that falls, and the error where GFN2-xTB attracts."""
    header = [
        "model",
        "scans",
        "holes",
        "kinks",
        "walls not monotone",
        "deepest fall (meV)",
        "RMSE where attractive (meV)",
    ]
    return _markdown(header, [_approach_row(name, entry["pairs"]) for name, entry in models.items()])


def _approach_row(name: str, scans: list[dict[str, Any]]) -> list[str]:
    falls = np.array([one["fall_inside_contact_eV"] for one in scans])
    return [
        f"`{name}`",
        str(len(scans)),
        str(sum(one["hole"] for one in scans)),
        str(sum(one["kink"] for one in scans)),
        str(int((falls > 0).sum())),
        f"{MEV * falls.max():.1f}",
        f"{MEV * total_rmse(scans):.1f}",
    ]


def pairs_table(models: dict[str, Any]) -> str:
    """The deepest well of each pair, the RMSE where GFN2-xTB attracts, and what is wrong."""
    header = ["pair", "GFN2-xTB well (meV)", *[f"`{name}` well, RMSE (meV)" for name in models]]
    scans = [group_pairs(entry["pairs"]) for entry in models.values()]
    names = list(dict.fromkeys(pair for one in scans for pair in one))
    rows = [
        [pair, _well(scans[0][pair], "gfn2_minimum_eV"), *[_pair_cell(one[pair]) for one in scans]] for pair in names
    ]
    return _markdown(header, rows)


def group_pairs(scans: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The scans of each pair."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for one in scans:
        grouped.setdefault(one["pair"], []).append(one)
    return grouped


def _well(scans: list[dict[str, Any]], key: str) -> str:
    return f"{MEV * min(one[key] for one in scans):.0f}"


def _pair_cell(scans: list[dict[str, Any]]) -> str:
    wrong = sorted({_kind(flag) for one in scans for flag in flags(one)})
    numbers = f"{_well(scans, 'minimum_eV')}, {MEV * total_rmse(scans):.1f}"
    return numbers + (f" ({', '.join(wrong)})" if wrong else "")


def _kind(flag: str) -> str:
    return "wall" if flag.startswith("wall") else flag


def total_rmse(scans: Iterable[dict[str, Any]]) -> float:
    """Root mean square (eV) over the scans that have an attractive part; NaN if none has."""
    errors = [one["attraction_rmse_eV"] for one in scans if one["attraction_rmse_eV"] is not None]
    return float(np.sqrt(np.mean(np.square(errors)))) if errors else float("nan")


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
