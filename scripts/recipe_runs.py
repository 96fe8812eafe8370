"""Folders of training runs, one for each recipe: which are done, and training those that are not."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sakeff.errors import TrainingError
from sakeff.training.config import RunConfig

Config = TypeVar("Config", bound=RunConfig)


def finished(config: RunConfig, folder: Path) -> bool:
    """Whether a run has done its plan. Raises TrainingError if that was another plan."""
    path = folder / "metrics.json"
    if not path.is_file() or not json.loads(path.read_text(encoding="utf-8"))["finished"]:
        return False
    plan = type(config).model_validate_json((folder / "train.json").read_text(encoding="utf-8"))
    if plan.fixed_on_resume() != config.fixed_on_resume():
        raise TrainingError(f"{folder} was trained by another recipe; remove it to train by the one of today.")
    return True


def has_state(folder: Path) -> bool:
    """Whether there is something to go on from."""
    return (folder / "state.safetensors").is_file()


def complete(config: Config, folder: Path, train: Callable[..., Any]) -> dict[str, Any]:
    """``train(config, folder, resume=...)``, or go on, unless the run is finished; its metrics."""
    if not finished(config, folder):
        print(f"training {folder.name}", flush=True)
        train(config, folder, resume=has_state(folder))
    metrics: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def train_missing(configs: Mapping[str, Config], runs: Path, train: Callable[..., Any]) -> None:
    """Every recipe whose run is not finished."""
    for name, config in configs.items():
        complete(config, runs / name, train)
