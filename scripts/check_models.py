"""Do the bundled models have the errors that their cards say? Evaluates each one on its test set from its weights.

    python scripts/check_models.py            # exit 1 if a number is off by more than 2 %, or none was checked
    python scripts/check_models.py so3krates-gfn2

Every error of the test set that a card shows is compared. Test sets of models trained on our own data are in
models/test_sets; those of public data sets are read from $SAKEFF_SHARED/data, by default ../shared/data beside this
checkout, and models are skipped where theirs is missing, which is said last.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from shared_data import SHARED

from sakeff.card import ROWS
from sakeff.checkpoint import read_document
from sakeff.data.read import read_frames
from sakeff.training.evaluate import evaluate
from sakeff.zoo import list_models, load_potential, models_folder

ROOT = Path(__file__).resolve().parent.parent
# Where the test files are that recipes call by names of their own.
FOLDERS = {"data/rmd17": SHARED / "data" / "rmd17", "data/gfn2": ROOT / "models" / "test_sets" / "gfn2"}
PRINTED = ("energy_mae_meV", "force_mae_meV_per_A")
TOLERANCE = 0.02


def main() -> int:
    """Check all models, or those named; 1 if one is off, or if nothing could be checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list_models())
    began = time.perf_counter()
    results = {name: check(name) for name in parser.parse_args().models}
    skipped = [name for name, result in results.items() if result is None]
    print(f"{len(results) - len(skipped)} of {len(results)} models checked in {time.perf_counter() - began:.0f} s.")
    if skipped:
        print(f"NOT CHECKED: {', '.join(skipped)}; put the MD17 files there, or set SAKEFF_SHARED.", file=sys.stderr)
    return 0 if False not in results.values() and any(results.values()) else 1


def check(name: str) -> bool | None:
    """Print one line; whether card and weights agree, or None where the test set is missing."""
    recipe = yaml.safe_load((models_folder() / name / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    path = test_set(recipe["test_path"])
    if not path.exists():
        print(f"{name}: skipped, there is no {path.name} in {path.parent}")
        return None
    card = read_document(models_folder() / name)["provenance"]["metrics"]["test"]
    found = evaluate(load_potential(name), read_frames(path, **recipe.get("options", {}))).metrics
    differences = compare(card, found)
    agrees = all(abs(difference) <= TOLERANCE for difference in differences.values())
    off = [key for key, difference in differences.items() if abs(difference) > TOLERANCE and key not in PRINTED]
    numbers = ", ".join(f"{key} {found[key]:.4g} ({100 * differences[key]:+.2f} %)" for key in (*PRINTED, *off))
    print(f"{name}: {'agrees' if agrees else 'DIFFERS'}: {numbers}")
    return agrees


def test_set(name: str) -> Path:
    """The file that a recipe means."""
    folder = FOLDERS.get(str(Path(name).parent), ROOT / Path(name).parent)
    return folder / Path(name).name


def compare(card: dict[str, Any], found: dict[str, float]) -> dict[str, float]:
    """Relative differences of all errors that a card shows."""
    return {key: found[key] / card[key] - 1.0 for key, _, _ in ROWS if key in card}


if __name__ == "__main__":
    sys.exit(main())
