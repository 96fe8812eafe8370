"""Errors of bundled models on the test set as it is now, written into their checkpoints and cards.

    python scripts/retest_model.py sake-gfn2

For models that were trained before their test set grew. Their weights stay as they are; scripts/check_models.py then
compares with the new numbers.
"""

import argparse
import json

import yaml
from check_models import test_set

from sakeff.card import CARD_FILE, make_card
from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.data.read import read_frames
from sakeff.export.torchscript import export_program
from sakeff.io import write_text
from sakeff.training.evaluate import evaluate
from sakeff.training.plots import plot_parity
from sakeff.zoo import PROGRAM_FILE, models_folder


def retest(name: str) -> dict[str, float]:
    """Evaluate a bundled model on its test set, rewrite its checkpoint and card, and return the errors."""
    folder = models_folder() / name
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))["data"]
    checkpoint = load_checkpoint(folder)
    frames = read_frames(test_set(recipe["test_path"]), **recipe.get("options", {}))
    evaluation = evaluate(checkpoint.potential, frames)
    checkpoint.provenance["metrics"]["test"] = evaluation.metrics
    save_checkpoint(folder, checkpoint.potential, checkpoint.config, checkpoint.provenance, overwrite=True)
    export_program(checkpoint.potential, folder / PROGRAM_FILE, checkpoint.provenance, overwrite=True)
    write_text(folder / "metrics.json", json.dumps(checkpoint.provenance["metrics"], indent=2) + "\n", overwrite=True)
    plot_parity(frames, evaluation, folder / "parity_test.png")
    write_text(folder / CARD_FILE, make_card(folder), overwrite=True)
    return evaluation.metrics


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of bundled models")
    for model in parser.parse_args().models:
        print(model, {key: round(value, 3) for key, value in retest(model).items()})
