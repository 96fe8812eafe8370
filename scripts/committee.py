"""Does the disagreement of a committee find its errors? Rank correlation of deviation and true error on labelled data.

    python scripts/committee.py --models runs/1/model runs/2/model runs/3/model --data test.npz
    python scripts/committee.py --out models/committee.json     # the general models; what the README shows

Prints JSON, and writes it where asked. The deviation is that of ``SAKECalculator([...])``
(``sakeff.engines.committee``), the error of an atom is the root mean square over the three components of (mean force
of the members - label). Spearman's rank correlation is null where it is undefined, for example because all members
are the same model. The models should not have seen the data.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from general_models import GENERAL
from scipy.stats import rankdata

from sakeff.checkpoint import read_document
from sakeff.data.frames import Frames
from sakeff.data.read import read_frames
from sakeff.drivers.deviation import MAX_DEVIATION
from sakeff.engines.committee import force_deviation, members
from sakeff.io import write_text
from sakeff.training.evaluate import Evaluation, evaluate
from sakeff.zoo import load_potential, models_folder, resolve_model

UNSEEN = models_folder() / "test_sets" / "gfn2" / "test.npz"
MEV = 1000.0


def spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's correlation of the ranks (ties share their mean rank); None where one of both does not vary."""
    ranks = np.stack([rankdata(a), rankdata(b)])
    if np.any(np.ptp(ranks, axis=1) == 0):
        return None
    return float(np.corrcoef(ranks)[0, 1])


def report(frames: Frames, evaluations: list[Evaluation], threshold: float = MAX_DEVIATION) -> dict[str, Any]:
    """Rank correlations for atoms and whole frames, and the errors on both sides of the threshold (eV/A)."""
    forces = np.stack([one.forces for one in evaluations])
    energies = np.stack([one.energy for one in evaluations])
    deviation = force_deviation(forces)
    difference = forces.mean(axis=0) - frames.forces
    error = np.sqrt((difference**2).mean(axis=1))
    known = np.isfinite(frames.energy)
    energy_error = np.abs(energies.mean(axis=0) - frames.energy)[known]
    return {
        "members": len(evaluations),
        "frames": len(frames),
        "atoms": len(error),
        "spearman_force_per_atom": spearman(deviation, error),
        "spearman_force_largest_per_frame": spearman(largest(deviation, frames), largest(error, frames)),
        "spearman_energy": spearman(energies.std(axis=0, ddof=1)[known], energy_error),
        "force_mae_meV_per_A": MEV * float(np.abs(difference).mean()),
        "force_mae_of_members_meV_per_A": [MEV * float(np.abs(one - frames.forces).mean()) for one in forces],
        "force_rms_error_meV_per_A": rms(error),
        "force_rms_deviation_meV_per_A": rms(deviation),
        "threshold_eV_per_A": threshold,
        "atoms_above_threshold": int((deviation > threshold).sum()),
        "force_rms_error_above_meV_per_A": rms(error[deviation > threshold]),
        "force_rms_error_below_meV_per_A": rms(error[deviation <= threshold]),
    }


def largest(values: np.ndarray, frames: Frames) -> np.ndarray:
    """Of the atoms (A,) of each frame, (M,)."""
    return np.maximum.reduceat(values, frames.offsets[:-1])


def rms(values: np.ndarray) -> float | None:
    """In thousandths; None where there are no values."""
    return MEV * float((values**2).mean()) ** 0.5 if len(values) else None


def parse_option(text: str) -> tuple[str, str]:
    """KEY=VALUE of a reader."""
    key, sign, value = text.partition("=")
    if not (key and sign and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key, value


def main() -> None:
    """Evaluate every member and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=GENERAL, help="names or checkpoint folders, two or more")
    parser.add_argument(
        "--data", nargs="+", type=Path, default=[UNSEEN], help="labelled structures: npz, extxyz, ASE db"
    )
    parser.add_argument("--option", action="append", type=parse_option, default=[], metavar="KEY=VALUE",
                        help="of the reader, for example labels=original")  # fmt: skip
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--max-deviation", type=float, default=MAX_DEVIATION, help="eV/A, the threshold")
    parser.add_argument("--out", type=Path, help="JSON to write (over an older one)")
    given = parser.parse_args()
    potentials = [load_potential(model) for model in members(given.models)]
    frames = read_frames(given.data, **dict(given.option))
    evaluations = [evaluate(potential, frames, given.batch_size, given.device) for potential in potentials]
    text = json.dumps(
        {
            "models": {model: read_document(resolve_model(model))["weights_sha256"] for model in given.models},
            "data": [path.name for path in given.data],
            **report(frames, evaluations, given.max_deviation),
        },
        indent=2,
    )
    print(text)
    if given.out is not None:
        write_text(given.out, text + "\n", overwrite=True)


if __name__ == "__main__":
    main()
