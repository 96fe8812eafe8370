"""How well finished training runs follow the torsions."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rotors.profiles import Profile, height, predicted_profiles, profile_error, profiles_of
from sakeff.data.frames import Frames
from sakeff.errors import DataError
from sakeff.training.config import TrainConfig
from sakeff.zoo import load_potential


def measured(config: TrainConfig, folder: Path, scan: Frames) -> dict[str, Any]:
    """What was trained for how long, its validation errors, and its profiles and their errors for each molecule.

    Raises `DataError` if nothing was trained in `folder`.
    """
    path = folder / "metrics.json"
    if not path.is_file():
        raise DataError(f"{folder} holds no trained model; run `table` without --only-finished to train it.")
    metrics = json.loads(path.read_text(encoding="utf-8"))
    potential = load_potential(folder / "model")
    reference = profiles_of(scan, scan.energy)
    predicted = predicted_profiles(potential, scan)
    return {
        "representation": config.potential["representation"],
        "parameters": sum(weights.numel() for weights in potential.parameters()),
        "steps": metrics["steps"],
        "minutes": metrics["minutes"],
        "validation": metrics["validation"],
        "profiles": {name: followed(predicted[name], reference[name]) for name in reference},
    }


def followed(predicted: Profile, reference: Profile) -> dict[str, Any]:
    """One predicted profile, shifted onto the reference (eV above its minimum), its error and its height (meV)."""
    shifted = predicted.energies - np.mean(predicted.energies - reference.energies) - reference.energies.min()
    return {
        "energies": np.round(shifted, 5).tolist(),
        "rmse_meV": round(profile_error(predicted.energies, reference.energies), 2),
        "height_meV": round(height(predicted.energies), 2),
    }


def references(scan: Frames) -> dict[str, Any]:
    """Angles, energies above the minimum (eV) and height (meV) of every molecule's scan."""
    return {
        name: {
            "angles": np.round(profile.angles, 4).tolist(),
            "energies": np.round(profile.energies - profile.energies.min(), 5).tolist(),
            "height_meV": round(height(profile.energies), 2),
        }
        for name, profile in profiles_of(scan, scan.energy).items()
    }
