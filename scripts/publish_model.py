"""Turn a finished training run into a bundled model: checkpoint, exported program, card, metrics, plots, recipe.

    sakeff train models/NAME/recipe.yaml --out runs/NAME
    python scripts/publish_model.py runs/NAME NAME
"""

import argparse
import shutil
from pathlib import Path

from sakeff.card import CARD_FILE, make_card
from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.errors import CheckpointError
from sakeff.export.torchscript import export_program
from sakeff.io import atomic_path, write_text
from sakeff.zoo import PROGRAM_FILE, models_folder

RESULTS = ("metrics.json", "learning_curve.png", "parity_test.png")


def publish(run: Path, name: str) -> Path:
    """Fill models/NAME from a run; the recipe must be there already. Returns the folder. The card comes last.

    Raises CheckpointError before anything is written if the run is not complete.
    """
    folder = models_folder() / name
    needed = [*(run / file for file in RESULTS), folder / "recipe.yaml"]
    missing = [str(path) for path in needed if not path.is_file()]
    if missing:
        raise CheckpointError(f"There is no {', '.join(missing)}; finish the run, and put its recipe there.")
    checkpoint = load_checkpoint(run / "model")
    save_checkpoint(folder, checkpoint.potential, checkpoint.config, checkpoint.provenance, overwrite=True)
    export_program(checkpoint.potential, folder / PROGRAM_FILE, checkpoint.provenance, overwrite=True)
    for file in RESULTS:
        with atomic_path(folder / file, overwrite=True) as temporary:
            shutil.copyfile(run / file, temporary)
    write_text(folder / CARD_FILE, make_card(folder), overwrite=True)
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    print(publish(options.run, options.name))
