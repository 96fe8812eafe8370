"""Cumulene rotors: where a local potential of degree 1 is blind and the non-local correction of So3krates sees.

    python scripts/cumulene.py generate --out runs/cumulene/data
    python scripts/cumulene.py train scripts/cumulene/nonlocal.yaml --out runs/cumulene/nonlocal
    python scripts/cumulene.py table --runs runs/cumulene

`generate` needs tblite (extra [data]) and takes a minute. `table` makes the data and trains the recipes of
scripts/cumulene where they are missing (interrupted runs go on), then writes docs/cumulene.json, .md and .png. With
`--only-finished` it makes and trains nothing.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from recipe_runs import train_missing
from rotors.geometry import name_of

from sakeff.data.frames import Frames, concatenate, load
from sakeff.errors import SakeffError
from sakeff.io import atomic_path, refuse_existing, write_text

# What only one command needs is imported there: labels need tblite, training torch.

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "scripts" / "cumulene"
MODELS = ("local", "nonlocal")
CARBONS = (3, 5, 7, 9)
TRAINING_ANGLES = np.arange(0.0, 181.0, 5.0)  # degrees
SCAN_ANGLES = np.arange(2.5, 180.0, 5.0)  # halfway between those of the training set
NOISE = 0.03  # A
COPIES = 15  # of each molecule at each angle
DPI = 130


def generate(folder: Path, seed: int, copies: int, overwrite: bool) -> list[Path]:
    """frames.npz, to train on, and scan.npz, the torsions of the rigid rotors."""
    paths = [folder / name for name in ("frames.npz", "scan.npz")]
    for path in paths:
        refuse_existing(path, overwrite)
    parts = [labelled_molecule(n_carbons, seed, copies) for n_carbons in CARBONS]
    for path, same in zip(paths, zip(*parts, strict=True), strict=True):
        concatenate(same).save(path, overwrite=overwrite)
    return paths


def labelled_molecule(n_carbons: int, seed: int, copies: int) -> tuple[Frames, Frames]:
    """Shaken frames at the angles of the training set, and the clean scan."""
    from rotors.frames import labelled, relaxed_rotor, scan, shaken

    rng = np.random.default_rng([seed, n_carbons])
    rotor = relaxed_rotor(n_carbons)
    frames = labelled(rotor, shaken(scan(rotor, TRAINING_ANGLES), NOISE, copies, rng))
    print(f"{name_of(n_carbons)}: {len(frames)} frames")
    return frames, labelled(rotor, scan(rotor, SCAN_ANGLES))


def recipes() -> dict[str, Any]:
    """Both recipes by name; they share their data."""
    from sakeff.training.config import load_train_config

    return {name: load_train_config(RECIPES / f"{name}.yaml") for name in MODELS}


def collect(configs: dict[str, Any], runs: Path) -> dict[str, Any]:
    """The document: how the data were made, the scans, and what both models make of them."""
    from rotors.runs import measured, references

    data = configs["local"].data
    scan = load(scan_path(configs))
    return {
        "data": {
            "level_of_theory": scan.level_of_theory,
            "train": data.train,
            "validation": data.validation,
            "noise_A": NOISE,
            "scan_angles": len(SCAN_ANGLES),
        },
        "reference": references(scan),
        "models": {name: measured(config, runs / name, scan) for name, config in configs.items()},
    }


def scan_path(configs: dict[str, Any]) -> Path:
    """The scans lie beside the training set."""
    return Path(configs["local"].data.path).with_name("scan.npz")


def write_table(arguments: argparse.Namespace) -> None:
    """docs/cumulene.json, docs/cumulene.md and docs/cumulene.png."""
    from rotors.document import as_markdown
    from rotors.figure import figure_of

    from sakeff.training.run import train

    configs = recipes()
    if not arguments.only_finished:
        if not scan_path(configs).is_file():
            generate(scan_path(configs).parent, seed=0, copies=COPIES, overwrite=False)
        train_missing(configs, arguments.runs, train)
    document = collect(configs, arguments.runs)
    write_text(arguments.docs / "cumulene.json", json.dumps(document, indent=1) + "\n", overwrite=True)
    write_text(arguments.docs / "cumulene.md", as_markdown(document), overwrite=True)
    with atomic_path(arguments.docs / "cumulene.png", overwrite=True) as temporary:
        figure_of(document).savefig(temporary, dpi=DPI)
    print(as_markdown(document))


def write_data(arguments: argparse.Namespace) -> None:
    """Both files."""
    for path in generate(arguments.out, arguments.seed, arguments.copies, arguments.overwrite):
        print(path)


def train_one(arguments: argparse.Namespace) -> None:
    """One recipe."""
    from sakeff.training.config import load_train_config
    from sakeff.training.run import train

    config = load_train_config(arguments.recipe)
    print(train(config, arguments.out, arguments.resume, max_minutes=arguments.max_minutes))


def main() -> int:
    """Parse and run; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("generate", help="make and label the frames, about a minute")
    command.add_argument("--out", type=Path, required=True, help="folder of the data")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--copies", type=int, default=COPIES, help="shaken frames of each molecule at each angle")
    command.add_argument("--overwrite", action="store_true")
    command.set_defaults(run=write_data)
    command = commands.add_parser("train", help="train one recipe")
    command.add_argument("recipe", type=Path)
    command.add_argument("--out", type=Path, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="continue the run in --out")
    command.add_argument("--max-minutes", type=float, help="stop after so long; --resume goes on")
    command.set_defaults(run=train_one)
    command = commands.add_parser("table", help="make what is missing; write table and figure")
    command.add_argument("--runs", type=Path, required=True, help="folder of both runs")
    command.add_argument("--docs", type=Path, default=ROOT / "docs")
    command.add_argument("--only-finished", action="store_true", help="make and train nothing")
    command.set_defaults(run=write_table)
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
