"""Folders of training runs, one for each recipe: which are done, and training those that are not."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

Config = TypeVar("Config")


def finished(folder: Path) -> bool:
    """Whether a run has done its plan."""
    path = folder / "metrics.json"
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8"))["finished"])


def has_state(folder: Path) -> bool:
    """Whether there is something to go on from."""
    return (folder / "state.safetensors").is_file()


def train_missing(configs: Mapping[str, Config], runs: Path, train: Callable[..., Any]) -> None:
    """``train(config, folder, resume=...)`` for every recipe whose run is not finished; interrupted ones go on."""
    for name, config in configs.items():
        if not finished(runs / name):
            print(f"training {name}")
            train(config, runs / name, resume=has_state(runs / name))
