"""The training of a forecaster in one call: data, model, loop, test, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Optional, Union

import torch

import sakeff
from sakeff.forecasting.checkpoint import save_forecaster
from sakeff.forecasting.config import ForecastConfig
from sakeff.forecasting.dataset import SETS, Sets, StoredSet, load_sets
from sakeff.forecasting.jitter import Jitter
from sakeff.forecasting.model import Forecaster, build_forecaster
from sakeff.forecasting.step import ForecastErrors, ForecastStep, ForecastValidator
from sakeff.forecasting.symmetries import apply_symmetries
from sakeff.forecasting.task import Samples, SampleStore, make_samples, with_reversed_time
from sakeff.io import write_text
from sakeff.training.build import make_plan, make_update
from sakeff.training.log import MetricsLog
from sakeff.training.loop import Trainer
from sakeff.training.run import RunFiles, run_device
from sakeff.training.state import Progress
from sakeff.training.world import SingleProcess


def train_forecaster(
    config: ForecastConfig,
    out: Union[str, Path],
    resume: bool = False,
    max_minutes: Optional[float] = None,
    show_progress: bool = True,
) -> Dict[str, Any]:
    """Train by `config` into the folder `out` and return the metrics, also written to `out/metrics.json`.

    `out` then holds `model.safetensors` with the averaged weights that were best on the validation set,
    `state.safetensors` (for `resume`), `metrics.jsonl` and `train.json`.

    Raises `DataError`, `ConfigError`, `OutputExistsError` (unless `resume`), and `TrainingError`.
    """
    files = RunFiles(Path(out))
    if not resume:
        files.refuse_stored()
    state = files.stored() if resume else None
    sets = load_sets(Path(config.task.folder))
    forecaster = build_forecaster(config.representation, len(config.task.targets), config.time_unit, config.seed)
    trainer = make_trainer(config, sets, forecaster, files)
    if state is not None:
        trainer.restore(state)
    files.write_config(config)
    progress = trainer.run(max_minutes, show_progress)
    return _finish(config, sets, forecaster, trainer, files, progress)


def make_trainer(config: ForecastConfig, sets: Sets, forecaster: Forecaster, files: RunFiles) -> Trainer:
    """Put the parts of a run together; `forecaster` is moved to the device and precision of the run."""
    forecaster.to(device=run_device(config), dtype=getattr(torch, config.dtype)).train()
    store, errors = _store(config, _training_samples(config, sets.train)), ForecastErrors(config.task.targets)
    update = make_update(config, forecaster)
    jitter = Jitter(config.jitter, config.seed, store.device, getattr(torch, config.dtype))
    step = ForecastStep(forecaster, store, config.batch_size, errors, jitter, update)
    plan = make_plan(config, len(store), SingleProcess())
    hashes = {f"{name} data": stored.sha256() for name, stored in zip(SETS, sets, strict=True)}
    documents = {**config.fixed_on_resume(), **hashes}
    files.folder.mkdir(parents=True, exist_ok=True)
    return Trainer(step, _validator(config, sets.validation), plan, files.state, MetricsLog(files.log), documents)


def _training_samples(config: ForecastConfig, stored: StoredSet) -> Samples:
    make = with_reversed_time if config.task.time_reversal else make_samples
    return make(stored, config.task.train_inputs, config.task.horizon, config.task.names)


def _store(config: ForecastConfig, samples: Samples) -> SampleStore:
    samples = apply_symmetries(config.task.symmetries, samples)
    return SampleStore(samples, run_device(config), getattr(torch, config.dtype))


def _validator(config: ForecastConfig, stored: StoredSet) -> ForecastValidator:
    task = config.task
    store = _store(config, make_samples(stored, [task.input_frame], task.horizon, task.names))
    return ForecastValidator(store, config.batch_size, ForecastErrors(config.task.targets))


def _finish(
    config: ForecastConfig, sets: Sets, forecaster: Forecaster, trainer: Trainer, files: RunFiles, progress: Progress
) -> Dict[str, Any]:
    """Best weights into the forecaster, errors on validation and test set, files."""
    trainer.apply_best()
    metrics = {
        "validation": _validator(config, sets.validation)(forecaster)[1],
        "test": _validator(config, sets.test)(forecaster)[1],
        "parameters": sum(p.numel() for p in forecaster.parameters()),
        "steps": progress.step,
        "finished": progress.finished,
        "minutes": round(progress.seconds / 60.0, 2),
        "data": sets.test.origin,
    }
    document = {
        "representation": config.representation,
        "targets": config.task.names,
        "time_unit": config.time_unit,
        "provenance": {"task": config.task.model_dump(), "metrics": metrics, "code_version": sakeff.__version__},
    }
    save_forecaster(files.folder / "model.safetensors", forecaster, document, overwrite=True)
    write_text(files.metrics, json.dumps(metrics, indent=2) + "\n", overwrite=True)
    return metrics
