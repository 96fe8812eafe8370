"""The mean of the weights of finished runs, with its errors, as a run that `publish_model.py` takes.

    python scripts/mean_run.py runs/first runs/first runs/second --out runs/mean
    python scripts/publish_model.py runs/mean NAME

Sound where one run went on from the other and both stayed in one valley of the loss. A run that is named twice counts
twice. The errors are those of the mean on the validation and test sets of the last run, whose steps, time, seed and
learning curve are kept.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from recipe_runs import finished
from same_weights import mean

from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.errors import CheckpointError, ConfigError, SakeffError
from sakeff.io import atomic_path, refuse_existing, write_text
from sakeff.training.build import load_sets
from sakeff.training.config import load_train_config
from sakeff.training.evaluate import evaluate
from sakeff.training.plots import plot_parity
from sakeff.zoo import fingerprint

CURVE = "learning_curve.png"
NEEDED = ("train.json", "metrics.json", CURVE, "model")


def main(arguments: list[str] | None = None) -> int:
    """Write the run; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="run", help="folder of a finished run")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    try:
        metrics = mean_run(options.runs, options.out)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(metrics, indent=2))
    return 0


def mean_run(runs: list[Path], out: Path) -> dict:
    """Write `out` and return its metrics. Raises SakeffError, before anything is written, where there is no mean."""
    refuse_existing(out, overwrite=False)
    for run in runs:
        require_finished(run)
    last = runs[-1]
    config = load_train_config(last / "train.json")
    checkpoints = [load_checkpoint(run / "model") for run in runs]
    trained, potential = checkpoints[-1], checkpoints[-1].potential
    if any(one.config != trained.config for one in checkpoints):
        raise ConfigError("The runs trained potentials of different settings, whose weights have no mean; give others.")
    potential.load_state_dict(mean([one.potential.state_dict() for one in checkpoints]))
    sets = load_sets(config.data)
    metrics = json.loads((last / "metrics.json").read_text(encoding="utf-8"))
    evaluations = {
        name: evaluate(potential, getattr(sets, name), config.batch_size)
        for name in ("validation", "test")
        if name in metrics
    }
    metrics |= {name: evaluation.metrics for name, evaluation in evaluations.items()}
    provenance = {key: value for key, value in trained.provenance.items() if key != "start"}
    provenance |= {"metrics": metrics, "mean_of": [fingerprint(run / "model") for run in runs]}
    save_checkpoint(out / "model", potential, trained.config, provenance)
    write_text(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    for name, evaluation in evaluations.items():
        plot_parity(getattr(sets, name), evaluation, out / f"parity_{name}.png")
    with atomic_path(out / CURVE) as temporary:
        shutil.copyfile(last / CURVE, temporary)
    return metrics


def require_finished(run: Path) -> None:
    """Raise CheckpointError where a run is not complete."""
    missing = [str(run / name) for name in NEEDED if not (run / name).exists()]
    if missing:
        raise CheckpointError(f"There is no {', '.join(missing)}; give folders of finished runs.")
    if not finished(load_train_config(run / "train.json"), run):
        raise CheckpointError(f"The run {run} is not finished; go on with sakeff train --resume first.")


if __name__ == "__main__":
    sys.exit(main())
