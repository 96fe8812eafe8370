"""docs/cumulene.md from docs/cumulene.json."""

from typing import Any

from benchmarks.tables import table

INTRODUCTION = """# Cumulene rotors: local against non-local So3krates

Written by `python scripts/cumulene.py table`. The ends of a cumulene CnH4 are two rotors. Turning them against each
other breaks a bond of the chain between them, which no hydrogen can see within 2.5 A, and with degrees up to 1 the
two hydrogens of an end cancel in every atom of the straight chain (So3krates paper, section 4 and figure 2). The
non-local correction of eq. 14 joins atoms that are close in the space of spherical harmonic coordinates (SPHC).

Both recipes (`scripts/cumulene`) keep the initial SPHC as sums, `mean_neighbours: 1`, and the neighbourhood is wider
than the paper's, kappa = 2 instead of 1. The softmax over SPHC distances is almost uniform where the SPHC are short:
divided by the mean number of neighbours, they leave hydrogens of different ends weights of less than a hundredth with
kappa = 1, and a first run that started there (energies weighted 0.01) saw nothing of the torsion in 1,500 steps."""


def as_markdown(document: dict[str, Any]) -> str:
    """Table, figure and how both were made."""
    return "\n\n".join([INTRODUCTION, "![profiles](cumulene.png)", _errors(document), _made(document)]) + "\n"


def _errors(document: dict[str, Any]) -> str:
    """Root mean square errors and heights in meV, one row for each molecule."""
    local, far = (document["models"][name]["profiles"] for name in ("local", "nonlocal"))
    header = ["molecule", "height", "local: height", "non-local: height"]
    header += ["local: RMSE", "non-local: RMSE", "local / non-local"]
    rows = [
        [
            name,
            *[f"{one['height_meV']:.0f}" for one in (reference, local[name], far[name])],
            *[f"{one['rmse_meV']:.1f}" for one in (local[name], far[name])],
            f"{local[name]['rmse_meV'] / far[name]['rmse_meV']:.1f}",
        ]
        for name, reference in document["reference"].items()
    ]
    return table(header, rows)


def _made(document: dict[str, Any]) -> str:
    data = document["data"]
    setting = (
        f"All in meV along torsions of the rigid rotors, relaxed at 90 degrees, at {data['scan_angles']} angles, "
        "halfway between those of the training set. Errors are those of energies up to a constant for each profile. "
        f"Labels: {data['level_of_theory']}, a closed shell at its default electronic temperature of 300 K. Training "
        f"data: {data['train']} frames of all molecules together ({data['validation']} more to validate), rotors "
        f"every 5 degrees with normal noise of {data['noise_A']} A on every coordinate."
    )
    lines = [setting, ""]
    for name, model in document["models"].items():
        errors = model["validation"]
        lines.append(
            f"- {name}: {model['parameters']:,} parameters, {model['steps']:,} steps; "
            f"errors of validation frames {errors['energy_mae_meV']:.1f} meV and "
            f"{errors['force_mae_meV_per_A']:.1f} meV/A (MAE)"
        )
    return "\n".join(lines)
