"""Turn a finished training run into a bundled model: checkpoint, exported program, card, metrics, plots, recipe.

    sakeff train models/NAME/recipe.yaml --out runs/NAME
    python scripts/publish_model.py runs/NAME NAME
"""

import argparse
import shutil
from pathlib import Path

from sakeff.card import CARD_FILE, make_card
from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.export.torchscript import export_program
from sakeff.io import write_text
from sakeff.zoo import PROGRAM_FILE, models_folder

PLOTS = ("learning_curve.png", "parity_test.png")


def publish(run: Path, name: str) -> Path:
    """Fill models/NAME from a run; the recipe must be there already. Returns the folder."""
    folder = models_folder() / name
    checkpoint = load_checkpoint(run / "model")
    save_checkpoint(folder, checkpoint.potential, checkpoint.config, checkpoint.provenance, overwrite=True)
    export_program(checkpoint.potential, folder / PROGRAM_FILE, checkpoint.provenance, overwrite=True)
    for file in ("metrics.json", *PLOTS):
        shutil.copyfile(run / file, folder / file)
    write_text(folder / CARD_FILE, make_card(folder), overwrite=True)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    print(publish(options.run, options.name))
