"""Write the generated tables of README.md between their markers, and the cards of the models.

Accuracy comes from the models' config.json, relaxations from models/demo.json (a copy of demo-output/report.json),
comparisons with GFN2-xTB from models/quality.json (of scripts/quality.py), energy conservation from models/*/nve.json
(of scripts.nve), stability from models/stability.json (of scripts/stability.py), the committee from
models/committee.json (of scripts/committee.py), speed from docs/benchmark.json (of scripts/benchmark.py).

    python scripts/readme_tables.py            # rewrite
    python scripts/readme_tables.py --check    # exit 1 if one of them is not up to date
"""

import argparse
import json
import re
import sys
from pathlib import Path

from benchmarks.document import read_runs
from benchmarks.tables import readme_section
from evaluations.tables import approach_table, complete, minima_table
from stability_table import stability_table

from sakeff.card import CARD_FILE, make_card
from sakeff.checkpoint import read_document
from sakeff.io import write_text
from sakeff.zoo import list_models, models_folder

README = Path(__file__).resolve().parent.parent / "README.md"
DEMO = README.parent / "models" / "demo.json"
QUALITY = README.parent / "models" / "quality.json"
STABILITY = README.parent / "models" / "stability.json"
COMMITTEE = README.parent / "models" / "committee.json"
BENCHMARK = README.parent / "docs" / "benchmark.json"


def accuracy_table() -> str:
    """One row for each bundled model, on its test set."""
    lines = [
        "| model | test data | energy MAE (meV) | force MAE (meV/A) | weights |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in list_models():
        provenance = read_document(models_folder() / name)["provenance"]
        test = provenance["metrics"]["test"]
        size = (models_folder() / name / "weights.safetensors").stat().st_size / 1e6
        lines.append(
            f"| `{name}` | {provenance['level_of_theory']}, {test['frames']} unseen frames "
            f"| {test['energy_mae_meV']:.1f} | {test['force_mae_meV_per_A']:.1f} | {size:.1f} MB |"
        )
    return "\n".join(lines)


def replace_section(text: str, name: str, table: str) -> str:
    """Put ``table`` between the markers of ``name``."""
    pattern = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"README.md has no section {name!r}.")
    return pattern.sub(lambda match: match.group(1) + table + "\n" + match.group(2), text)


def demo_table() -> str:
    """What the last committed run of the demo printed."""
    report = json.loads(DEMO.read_text(encoding="utf-8"))
    lines = [
        "| structure | model | steps | fmax (eV/A) | RMSD to GFN2-xTB (A) | time (s) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['structure']} | `{row['model']}` | {row['steps']} | {row['fmax']:.4f} | {row['rmsd']:.2f} "
        f"| {row['seconds']:.0f} |"
        for row in report["relaxations"]
    ]
    return "\n".join([*lines, "", f"Measured on {report['machine']}, {report['date']}."])


def quality_table() -> str:
    """The general models against GFN2-xTB: minima, conformers, frequencies, and a summary of approaching pairs."""
    models = complete(json.loads(QUALITY.read_text(encoding="utf-8")))
    return f"{minima_table(models)}\n\n{approach_table(models)}"


def nve_table() -> str:
    """Drift and fluctuation of the total energy of every model that has a report."""
    lines = [
        "| model | engine and step | slope (meV/atom/ps) | fluctuation (meV/atom) |",
        "| --- | --- | --- | --- |",
    ]
    for path in sorted(models_folder().glob("*/nve.json")):
        for model, runs in json.loads(path.read_text(encoding="utf-8"))["runs"].items():
            lines += [
                f"| `{model}` | {label} | {run['slope']:.4f} +- {run['slope_error']:.4f} | {run['fluctuation']:.3f} |"
                for label, run in runs.items()
            ]
    return "\n".join(lines)


def committee_table() -> str:
    """How well the deviation of the general models ranks their errors on the test set."""
    found = json.loads(COMMITTEE.read_text(encoding="utf-8"))
    above, atoms = found["atoms_above_threshold"], found["atoms"]
    errors = [f"{error:.1f}" for error in found["force_mae_of_members_meV_per_A"]]
    rows = {
        "members, their force MAE (meV/A)": ", ".join(map("`{}` {}".format, found["models"], errors)),
        "force MAE of their mean (meV/A)": f"{found['force_mae_meV_per_A']:.1f}",
        "unseen frames, atoms": f"{found['frames']}, {atoms}",
        "rank correlation, forces on atoms": f"{found['spearman_force_per_atom']:.2f}",
        "rank correlation, largest of a frame": f"{found['spearman_force_largest_per_frame']:.2f}",
        "rank correlation, energies": f"{found['spearman_energy']:.2f}",
        f"atoms above {found['threshold_eV_per_A']} eV/A": f"{above} ({100 * above / atoms:.2f} %)",
        "RMS force error of these (meV/A)": f"{found['force_rms_error_above_meV_per_A']:.0f}",
        "RMS force error of the others (meV/A)": f"{found['force_rms_error_below_meV_per_A']:.0f}",
    }
    return "\n".join(["| | |", "| --- | --- |", *[f"| {key} | {value} |" for key, value in rows.items()]])


def main() -> int:
    """Rewrite or check; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    before = README.read_text(encoding="utf-8")
    after = replace_section(before, "accuracy", accuracy_table())
    after = replace_section(after, "demo", demo_table())
    after = replace_section(after, "quality", quality_table())
    after = replace_section(after, "nve", nve_table())
    after = replace_section(after, "stability", stability_table(json.loads(STABILITY.read_text(encoding="utf-8"))))
    after = replace_section(after, "committee", committee_table())
    after = replace_section(after, "speed", readme_section(read_runs(BENCHMARK)))
    pages = {
        README: after,
        **{models_folder() / name / CARD_FILE: make_card(models_folder() / name) for name in list_models()},
    }
    if options.check:
        return int(any(path.read_text(encoding="utf-8") != text for path, text in pages.items()))
    for path, text in pages.items():
        write_text(path, text, overwrite=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
