"""Model cards: generated from a checkpoint's configuration, provenance and metrics, never typed."""

import json
from pathlib import Path
from typing import Any

import yaml
from ase.data import chemical_symbols

from sakeff.checkpoint import read_document

CARD_FILE = "card.md"
ABLATIONS_FILE = "ablations.json"  # beside the card of a model whose parts were taken away one by one
ABLATION_SPLITS = ("validation", "test")
ROWS = (
    ("energy_mae_meV", "energy MAE", "meV"),
    ("energy_rmse_meV", "energy RMSE", "meV"),
    ("energy_mae_meV_per_atom", "energy MAE per atom", "meV"),
    ("force_mae_meV_per_A", "force MAE", "meV/A"),
    ("force_rmse_meV_per_A", "force RMSE", "meV/A"),
)


ERRORS = """## Errors

No stage of the training saw the test set, but recipes and stages were chosen with a look at its errors too. The
validation set chose the weights of the last stage; of several recipes, each draws its own, and earlier stages may have
trained on it.
"""

# Documents beside the folders of the models: comparisons with a reference method, long simulations.
QUALITY_FILE, STABILITY_FILE = "quality.json", "stability.json"
REFERENCE = "GFN2-xTB"
PLOTS = {
    "parity_test.png": "predicted against true energies and forces of the test set",
    "learning_curve.png": "learning curve of the last recipe",
    "nve.png": "total energy in dynamics",
}


def make_card(folder: Path) -> str:
    """Markdown text about the checkpoint in ``folder``. Raises CheckpointError."""
    document = read_document(folder)
    provenance = document["provenance"]
    parts = [
        f"# {Path(folder).name}\n",
        _facts(document),
        ERRORS,
        _errors(provenance["metrics"]),
        *_beyond(Path(folder)),
        "## Training\n",
        _training(provenance, Path(folder)),
        *_ablations(Path(folder) / ABLATIONS_FILE),
        *[f"![{caption}]({file})\n" for file, caption in PLOTS.items() if (Path(folder) / file).is_file()],
    ]
    return "\n".join(parts)


def ablation_table(document: dict[str, Any]) -> str:
    """Markdown: what was done, and the force error of the short run without and with each change."""
    protocol = document["protocol"]
    about = (
        f"Short runs of {protocol['steps']:,} steps of {protocol['batch_size']} with a rate of"
        f" {protocol['learning_rate']:g} and seed {protocol['seed']}, one thing changed at a time; force MAE in meV/A."
        " Differences of a few percent may be luck of the seed.\n"
    )
    base = ", ".join(f"{key} {value}" for key, value in document["base"].items())
    rows = [(row["change"], *[_error_or_gap(row.get(split)) for split in ABLATION_SPLITS]) for row in document["rows"]]
    return "\n".join([about, f"Start: {base}.\n", _table(("change", *ABLATION_SPLITS), rows)])


def _error_or_gap(error: float | None) -> str:
    return "not trained" if error is None else f"{error:.1f}"


def _ablations(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return ["## What buys accuracy\n", ablation_table(json.loads(path.read_text(encoding="utf-8")))]


def _facts(document: dict[str, Any]) -> str:
    representation = dict(document["potential"]["representation"])
    provenance = document["provenance"]
    elements = ", ".join(chemical_symbols[z] for z in document["potential"]["elements"])
    rows = [
        ("representation", representation.pop("name")),
        ("hyperparameters", ", ".join(f"{key} {value}" for key, value in representation.items())),
        ("elements", elements),
        ("total charges", ", ".join(f"{charge:g}" for charge in provenance["charges"])),
        ("level of theory", provenance["level_of_theory"]),
        ("units", provenance["units"]),
    ]
    return _table(("", ""), rows)


def _errors(metrics: dict[str, Any]) -> str:
    splits = [name for name in ("validation", "test") if name in metrics]
    rows = [
        (label, *[f"{metrics[split][key]:.3g} {unit}" for split in splits])
        for key, label, unit in ROWS
        if all(key in metrics[split] for split in splits)
    ]
    header = ("", *[f"{split} ({metrics[split]['frames']} frames)" for split in splits])
    return _table(header, rows)


def _beyond(folder: Path) -> list[str]:
    """Relaxed structures, frequencies and simulations, where they were compared for this model."""
    quality = _found(folder.parent / QUALITY_FILE).get("models", {}).get(folder.name)
    stability = _found(folder.parent / STABILITY_FILE).get(folder.name)
    rows: list[tuple] = []
    if quality is not None:
        relaxed = quality["relaxations"].items()
        rows += [(f"{name}, RMSD to the minimum of {REFERENCE}", f"{one['rmsd_A']:.3f} A") for name, one in relaxed]
        errors = [one["frequency_mae_per_cm"] for one in quality["molecules"]]
        rows.append((f"harmonic frequencies of {len(errors)} molecules, MAE", f"{sum(errors) / len(errors):.1f} 1/cm"))
    if stability is not None:
        runs, nve = stability["nvt"], stability["nve"]
        rows.append(
            ("simulations of riboflavin and the Ala10 helix", f"{sum(r['stable'] for r in runs)} of {len(runs)} stable")
        )
        slope = nve["failure"] or f"{nve['slope_meV_per_atom_ps']:.4f} +- {nve['slope_error']:.4f} meV/atom/ps"
        rows.append(("drift of the total energy of riboflavin", slope))
    return ["## Beyond errors\n", _table(("", ""), rows)] if rows else []


def _found(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _training(provenance: dict[str, Any], folder: Path) -> str:
    metrics = provenance["metrics"]
    recipes = sorted(folder.glob("recipe*.yaml"), key=lambda path: (len(path.name), path.name))  # 10 comes after 9
    data = [yaml.safe_load(path.read_text(encoding="utf-8"))["data"]["path"] for path in recipes[-1:]]
    rows = [
        ("steps of the last recipe", metrics["steps"]),
        ("its wall time", f"{metrics['minutes']:.0f} min"),
        ("seed", provenance["seed"]),
        ("training data", ", ".join(data)),
        ("its SHA-256", provenance["data_sha256"]),
        ("code version", provenance["code_version"]),
        ("recipes, beside this card", ", ".join(path.name for path in recipes)),
    ]
    if "mean_of" in provenance:
        rows.append(("weights", f"mean of {_checkpoints(provenance['mean_of'])}"))
    return _table(("", ""), rows)


def _checkpoints(fingerprints: list[str]) -> str:
    """How many, and how the fingerprint of each begins."""
    return f"{len(fingerprints)} checkpoints, {', '.join(one[:8] for one in fingerprints)}"


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"
