"""One function for each comparison of a model with GFN2-xTB. Each takes an ASE calculator and returns plain numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase.calculators.calculator import BaseCalculator

from evaluations.approach import (
    JUMP,
    Approach,
    attraction_error,
    has_hole,
    largest_fall,
    largest_jump,
)
from evaluations.references import Minimum, PairScan, Transfer
from evaluations.transfer import barrier, energies_along
from evaluations.vibrations import frequencies
from sakeff.drivers.relax import relax
from sakeff.structures import load_structure

RELAXED_FMAX = 0.005  # eV/A
VIBRATING_FMAX = 0.001  # eV/A
MAX_STEPS = 4000
DIGITS = 6  # of eV, eV/A and A in the document
POSITION_DIGITS = 4  # of A
COMPARISONS = ("relaxations", "molecules", "pairs", "transfers")

Say = Callable[[str], None]


def relaxations(
    calculator: BaseCalculator, references: dict[str, dict[str, float]], say: Say = print
) -> dict[str, dict[str, Any]]:
    """From the bundled start structures: distance to the GFN2-xTB minimum, and energies at both minima."""
    results = {}
    for name, reference in references.items():
        minimum = load_structure(f"{name}_gfn2")
        found = relax(load_structure(name), calculator, fmax=RELAXED_FMAX, steps=MAX_STEPS, reference=minimum)
        say(f"{name}: {found.steps} steps, fmax {found.fmax:.4f} eV/A, {found.rmsd:.3f} A from GFN2-xTB")
        minimum.calc = calculator
        results[name] = {
            "converged": found.converged,
            "steps": found.steps,
            "fmax_eV_per_A": round(found.fmax, DIGITS),
            "rmsd_A": round(float(found.rmsd or 0.0), DIGITS),
            "positions_A": np.round(found.atoms.positions, POSITION_DIGITS).tolist(),
            "energy_eV": round(found.energy, DIGITS),
            "energy_at_gfn2_minimum_eV": round(minimum.get_potential_energy(), DIGITS),
            "gfn2_energy_eV": reference["energy_eV"],
        }
    return results


def molecules(calculator: BaseCalculator, references: Sequence[Minimum], say: Say = print) -> list[dict[str, Any]]:
    """Of each held-out molecule the model's minimum next to that of GFN2-xTB, and the frequencies there."""
    results = []
    for reference in references:
        found = relax(reference.atoms, calculator, fmax=VIBRATING_FMAX, steps=MAX_STEPS, reference=reference.atoms)
        waves = frequencies(found.atoms)
        mae = float(np.abs(waves - reference.frequencies).mean())
        say(f"{reference.smiles}: {found.rmsd:.3f} A from GFN2-xTB, frequencies differ by {mae:.1f} 1/cm")
        results.append(
            {
                "smiles": reference.smiles,
                "converged": found.converged,
                "rmsd_A": round(float(found.rmsd or 0.0), DIGITS),
                "frequency_mae_per_cm": round(mae, 3),
                "imaginary": int((waves < 0).sum()),
                "frequencies_per_cm": np.round(waves, 2).tolist(),
            }
        )
    return results


def pairs(calculator: BaseCalculator, references: Sequence[PairScan], say: Say = print) -> list[dict[str, Any]]:
    """Every approach scan of the model with what is wrong with it."""
    results = []
    for reference in references:
        results.append(compared(reference, calculator))
        say(f"{reference.pair} {reference.orientation}: {', '.join(flags(results[-1])) or 'sound'}")
    return results


def compared(reference: PairScan, calculator: BaseCalculator) -> dict[str, Any]:
    """One scan, on twice as fine a grid as the reference's."""
    scan = Approach(reference.first, reference.second, calculator)
    grid = halved(reference.distances)
    energies, forces = scan(grid)
    jump, where = largest_jump(scan.force, grid, forces)
    shared = energies[::2]
    rmse = attraction_error(reference.distances, shared, reference.energies, reference.contact)
    return {
        "pair": reference.pair,
        "orientation": reference.orientation,
        "hole": has_hole(energies, reference.energies),
        "minimum_eV": round(float(energies.min()), DIGITS),
        "gfn2_minimum_eV": float(reference.energies.min()),
        "kink": jump >= JUMP,
        "jump_eV_per_A2": float(f"{jump:.2e}"),
        "jump_at_A": round(where, DIGITS),
        "fall_inside_contact_eV": round(largest_fall(grid, energies, reference.contact), DIGITS),
        "attraction_rmse_eV": None if rmse is None else round(rmse, DIGITS),
        "energies_eV": np.round(shared, DIGITS).tolist(),
    }


def transfers(calculator: BaseCalculator, references: Sequence[Transfer], say: Say = print) -> list[dict[str, Any]]:
    """What it costs that the hydrogen of a bridge goes over, everything else held."""
    results = []
    for reference in references:
        energies = energies_along(reference.atoms, reference.bridge, calculator)
        own, gfn2 = barrier(energies), barrier(reference.energies)
        name = "-".join(f"{reference.atoms.symbols[k]}{k}" for k in reference.bridge)
        say(f"{name}: {own:.2f} eV, GFN2-xTB {gfn2:.2f} eV")
        results.append(
            {
                "bridge": name,
                "barrier_eV": round(own, DIGITS),
                "gfn2_barrier_eV": round(gfn2, DIGITS),
                "energies_eV": np.round(energies - energies[0], DIGITS).tolist(),
            }
        )
    return results


def flags(entry: dict[str, Any]) -> list[str]:
    """What is wrong with a scan, in words."""
    fall = entry["fall_inside_contact_eV"]
    found = {"hole": entry["hole"], "kink": entry["kink"], f"wall falls by {1000 * fall:.1f} meV": fall > 0.0}
    return [name for name, is_so in found.items() if is_so]


def halved(grid: np.ndarray) -> np.ndarray:
    """The points (P,) and those half-way between them, (2 P - 1,)."""
    fine = np.empty(2 * len(grid) - 1)
    fine[::2], fine[1::2] = grid, 0.5 * (grid[1:] + grid[:-1])
    return fine


def conformer_energy(entries: dict[str, dict[str, Any]], key: str) -> float:
    """Energy (eV) of the helix above that of the extended form of Ac-Ala10-NH2; negative if the helix is lower."""
    return entries["ala10_helix"][key] - entries["ala10_extended"][key]
