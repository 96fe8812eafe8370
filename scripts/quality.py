"""How near are the general models to GFN2-xTB beyond force errors? Minima, conformers, frequencies, pairs, protons.

    python scripts/quality.py                                                     # the bundled general models
    python scripts/quality.py --models runs/mine/model --out runs/mine/quality.json

Compares each model (bundled name, checkpoint folder or exported file) with models/references/gfn2 and writes one JSON
document after every part, by default models/quality.json. Then a page and two plots: into docs/ for that document,
beside any other one. A killed run goes on where it was: parts are kept that were made from the same weights and the
same references. Takes minutes for each model on one core.
"""

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from evaluations import comparisons, references
from evaluations.overlay import write_overlay
from evaluations.plot import write_plot
from evaluations.tables import complete, quality_tables
from general_models import GENERAL

from sakeff import SAKECalculator, __version__
from sakeff.errors import DataError, SakeffError
from sakeff.io import write_text
from sakeff.zoo import fingerprint, list_models, resolve_model

FORMAT = 1  # of the document and of what the numbers mean; another one makes every part again
ROOT = Path(__file__).resolve().parent.parent
PUBLISHED, DOCS = ROOT / "models" / "quality.json", ROOT / "docs"

INTRODUCTION = """# General models against GFN2-xTB

Written by `python scripts/quality.py`. Structures are relaxed from the same start to 0.005 eV/A and compared, all
atoms, with the GFN2-xTB minimum reached from there. Frequencies are harmonic, of ten molecules of the test set, at the
minimum that the model finds from that of GFN2-xTB. Pairs of rigid closed-shell molecules approach from 6 A to well
inside contact, in three orientations each. In frames of riboflavin in motion (GFN2-xTB, 500 K) the hydrogen of a
hydroxyl goes over to the other end of its bridge while everything else stays: a low barrier is a bond about to break.

A hole is an energy more than 50 meV below twice the depth of the GFN2-xTB well, a kink a jump of the slope of the force
by more than 1e-5 eV/A^2, and a wall is not monotone where the energy falls, by however little, on the way in from the
contact distance of GFN2-xTB."""


def main(arguments: list[str] | None = None) -> int:
    """Compare what is not compared yet; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        document = read_document(options.out)
        parts = parts_of(options.references)
        for model in options.models:
            assess(model, parts, document, options)
        models = complete(document)
        docs = DOCS if options.out.resolve() == PUBLISHED else options.out.parent
        write_plot(docs / "pairs.png", models, references.read_pairs(options.references))
        write_overlay(docs / "overlay.png", models)
    except SakeffError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    page = page_of(document)
    write_text(docs / "quality.md", page, overwrite=True)
    print(page)
    return 0


def page_of(document: dict[str, Any]) -> str:
    """The tables and plots of a document."""
    plots = "![approaching pairs](pairs.png)\n\n![relaxed structures](overlay.png)"
    return f"{INTRODUCTION}\n\n{quality_tables(document)}\n\n{plots}\n"


def parts_of(folder: Path) -> dict[str, Callable[[Any], Any]]:
    """{name of a part: calculator -> its results}."""
    return {
        "relaxations": partial(comparisons.relaxations, references=references.read_conformers(folder)),
        "molecules": partial(comparisons.molecules, references=references.read_molecules(folder)),
        "pairs": partial(comparisons.pairs, references=references.read_pairs(folder)),
        "transfers": partial(comparisons.transfers, references=references.read_transfers(folder)),
    }


def assess(
    model: str, parts: dict[str, Callable[[Any], Any]], document: dict[str, Any], options: argparse.Namespace
) -> None:
    """Fill the model's entry part by part, and write the document after each."""
    origin = {"weights_sha256": fingerprint(model), "references_sha256": references.fingerprint(options.references)}
    entry = document["models"].get(label(model), {})
    if any(entry.get(key) != value for key, value in origin.items()):
        entry = document["models"][label(model)] = {**origin, "seconds": {}}
    missing = [name for name in parts if name not in entry]
    calculator = SAKECalculator(model) if missing else None
    for name in missing:
        print(f"{label(model)}: {name}", flush=True)
        began = time.perf_counter()
        entry[name] = parts[name](calculator)
        entry["seconds"][name] = round(time.perf_counter() - began, 1)
        entry.update(code_version=__version__, date=dt.date.today().isoformat())
        write_text(options.out, json.dumps(document, indent=None).replace("}, {", "},\n{") + "\n", overwrite=True)


def label(model: str) -> str:
    """A bundled name, or the last two folders of a path."""
    return model if model in list_models() else "/".join(resolve_model(model).resolve().parts[-2:])


def read_document(path: Path) -> dict[str, Any]:
    """The document so far, or an empty one; raises DataError if the file is something else."""
    if not path.exists():
        return {"format": FORMAT, "models": {}}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no JSON document; choose another --out.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{path} has another format; choose another --out, or remove it to make all numbers again.")
    return document


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=GENERAL, help="names, checkpoint folders or exported files")
    parser.add_argument("--out", type=Path, default=PUBLISHED, help="the JSON document, begun or continued")
    parser.add_argument("--references", type=Path, default=references.FOLDER, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
