"""A whole training run in one call: data, reference energies, potential, loop, test, checkpoint, plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional, Union

import numpy as np
import torch

import sakeff
from sakeff.checkpoint import save_checkpoint
from sakeff.errors import ConfigError, OutputExistsError
from sakeff.io import write_text
from sakeff.training.build import Model, Sets, load_sets, make_trainer, new_model, pretrained_model, stored_model
from sakeff.training.config import RunConfig, TrainConfig
from sakeff.training.evaluate import Evaluation, evaluate
from sakeff.training.log import MetricsLog, NoLog
from sakeff.training.loop import Trainer
from sakeff.training.plots import plot_learning_curve, plot_parity
from sakeff.training.reference import shift_energies
from sakeff.training.state import Progress, RunState, load_state
from sakeff.training.world import joined_world
from sakeff.zoo import fingerprint


def train(
    config: TrainConfig,
    out: Union[str, Path],
    resume: bool = False,
    init_from: Optional[Union[str, Path]] = None,
    max_minutes: Optional[float] = None,
    show_progress: bool = True,
) -> Path:
    """Train by `config` into the folder `out` and return the checkpoint folder, `out/model`.

    `out` then holds `state.safetensors` (for `resume`), `metrics.jsonl`, `metrics.json`, `train.json`, plots and the
    checkpoint with the best averaged weights so far, also where `max_minutes` ended a slice before the plan was done.
    `init_from` starts from the weights of a bundled model or a checkpoint folder; a resumed run may leave it out.
    Under torchrun several processes share every step.

    Raises `DataError`, `ConfigError`, `OutputExistsError` (unless `resume`), and `TrainingError`.
    """
    files = RunFiles(Path(out))
    if not resume:
        files.refuse_stored()
    state = files.stored() if resume else None
    sets = load_sets(config.data)
    with joined_world(run_device(config)) as world:
        model = _model(config, sets, state, init_from)
        log = MetricsLog(files.log) if world.rank == 0 else NoLog()
        trainer = make_trainer(config, sets, model, files.state, log, world)
        if state is not None:
            trainer.restore(state)
        if world.rank == 0:
            files.write_config(config)
        progress = trainer.run(max_minutes, show_progress)
        if world.rank == 0:
            _finish(config, sets, model, trainer, files, progress)
    return files.model


class RunFiles:
    """Where a run keeps what."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.model = folder, folder / "model"
        self.state, self.log = folder / "state.safetensors", folder / "metrics.jsonl"
        self.config, self.metrics = folder / "train.json", folder / "metrics.json"

    def stored(self) -> RunState:
        """The state to resume. Raises `TrainingError` if there is none."""
        return load_state(self.state)

    def refuse_stored(self) -> None:
        """Refuse to write over another run."""
        for path in (self.log, self.state, self.metrics, self.config, self.model):
            if path.exists():
                raise OutputExistsError(f"{path} exists already; continue with --resume or choose another folder.")

    def write_config(self, config: RunConfig) -> None:
        """The recipe, beside what came of it."""
        write_text(self.config, config.model_dump_json(indent=2) + "\n", overwrite=True)


def run_device(config: RunConfig) -> torch.device:
    """The device of a run. Raises `ConfigError` if there is none."""
    if config.device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("device is 'cuda', but torch sees no card; use device: cpu or install torch with CUDA.")
    try:
        return torch.device(config.device)
    except RuntimeError as error:
        raise ConfigError(f"device {config.device!r} is none that torch knows; use cpu or cuda.") from error


def _model(config: TrainConfig, sets: Sets, state: Optional[RunState], init_from: Optional[Union[str, Path]]) -> Model:
    if state is not None:
        return _resumed_model(state, init_from)
    return new_model(config, sets.train) if init_from is None else pretrained_model(init_from, config, sets.train)


def _resumed_model(state: RunState, init_from: Optional[Union[str, Path]]) -> Model:
    model = stored_model(state)
    if init_from is not None and fingerprint(init_from) != model.start:
        raise ConfigError(f"The run did not start from the weights of {init_from}; resume it without --from.")
    return model


def _finish(
    config: TrainConfig, sets: Sets, model: Model, trainer: Trainer, files: RunFiles, progress: Progress
) -> None:
    """Best weights into the potential, errors on every set, checkpoint and plots."""
    potential = model.potential.eval()
    trainer.apply_best()
    if config.loss.energy == 0.0:
        predicted = evaluate(potential, sets.train, config.batch_size, config.device).energy
        shift_energies(potential, sets.train, predicted)
    evaluations = {
        name: evaluate(potential, frames, config.batch_size, config.device)
        for name, frames in (("validation", sets.validation), ("test", sets.test))
        if len(frames)
    }
    metrics = {
        **{name: evaluation.metrics for name, evaluation in evaluations.items()},
        "steps": progress.step,
        "finished": progress.finished,
        "minutes": round(progress.seconds / 60.0, 2),
    }
    save_checkpoint(files.model, potential, model.config, _provenance(config, sets, model, metrics), overwrite=True)
    write_text(files.metrics, json.dumps(metrics, indent=2) + "\n", overwrite=True)
    _plot(files, sets, evaluations)


def _provenance(config: TrainConfig, sets: Sets, model: Model, metrics: Dict[str, Any]) -> Dict[str, Any]:
    elements = np.unique(np.concatenate([frames.numbers for frames in sets])).tolist()
    return {
        "level_of_theory": sets.train.level_of_theory,
        "data_sha256": sets.train.sha256(),
        "elements": elements,
        "charges": np.unique(sets.train.charge).tolist(),
        "spins": np.unique(sets.train.spin).tolist(),
        "metrics": metrics,
        "start": model.start,
        "code_version": sakeff.__version__,
        "seed": config.seed,
    }


def _plot(files: RunFiles, sets: Sets, evaluations: Dict[str, Evaluation]) -> None:
    plot_learning_curve(MetricsLog(files.log).records(), files.folder / "learning_curve.png")
    for name, evaluation in evaluations.items():
        plot_parity(getattr(sets, name), evaluation, files.folder / f"parity_{name}.png")
