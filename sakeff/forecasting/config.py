"""Everything that defines the training of a forecaster, as one validated document (YAML or JSON)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from pydantic import Field, field_validator

from sakeff.forecasting.symmetries import SYMMETRIES
from sakeff.forecasting.task import TARGETS
from sakeff.training.config import RunConfig, Section, parse_run_config, read_run_document


class TaskConfig(Section):
    """A folder of trajectories and the frames: predict at `target_frame` what is known at `input_frame`.

    `targets` maps positions and velocities to weights in the loss, the mean over particles, components and targets of
    weight x error^2.
    """

    folder: str
    input_frame: int = Field(default=30, ge=0)
    target_frame: int = Field(default=40, ge=1)
    train_frames: Optional[Tuple[int, int]] = None  # first and last input frame to train on; default: input_frame
    targets: Dict[str, float] = Field(default={"positions": 1.0}, min_length=1)
    symmetries: List[str] = Field(default=[])  # built into the samples; see `sakeff.forecasting.symmetries`
    time_reversal: bool = False  # train on every pair of frames also backwards

    @field_validator("targets")
    @classmethod
    def _known_and_positive(cls, targets: Dict[str, float]) -> Dict[str, float]:
        unknown = sorted(set(targets) - set(TARGETS))
        if unknown:
            raise ValueError(f"unknown targets {unknown}; choose from {list(TARGETS)}")
        if any(not weight > 0.0 for weight in targets.values()):
            raise ValueError("every target needs a positive weight")
        return targets

    @field_validator("symmetries")
    @classmethod
    def _known(cls, symmetries: List[str]) -> List[str]:
        unknown = sorted(set(symmetries) - set(SYMMETRIES))
        if unknown:
            raise ValueError(f"unknown symmetries {unknown}; choose from {sorted(SYMMETRIES)}")
        return symmetries

    @field_validator("train_frames")
    @classmethod
    def _in_order(cls, frames: Optional[Tuple[int, int]]) -> Optional[Tuple[int, int]]:
        if frames is not None and frames[0] > frames[1]:
            raise ValueError("train_frames are the first and the last, in this order")
        return frames

    @property
    def horizon(self) -> int:
        """Frames to look ahead."""
        return self.target_frame - self.input_frame

    @property
    def train_inputs(self) -> List[int]:
        """Every frame from which a training sample starts."""
        first, last = self.train_frames or (self.input_frame, self.input_frame)
        return list(range(first, last + 1))

    @property
    def names(self) -> List[str]:
        """The targets in the order of the document."""
        return list(self.targets)


class ForecastConfig(RunConfig):
    """One run: a task and a representation by its name and hyperparameters, e.g. ``{"name": "sake", "width": 64}``."""

    task: TaskConfig
    representation: Dict[str, Any]
    time_unit: float = Field(default=1.0, gt=0)  # velocities enter as displacements in this time
    jitter: float = Field(default=0.0, ge=0)  # standard deviation of noise on the positions and velocities trained on

    @field_validator("representation")
    @classmethod
    def _named(cls, representation: Dict[str, Any]) -> Dict[str, Any]:
        if not isinstance(representation.get("name"), str):
            raise ValueError("representation needs a 'name'")
        return representation


def parse_forecast_config(document: Dict[str, Any]) -> ForecastConfig:
    """A validated configuration; raises `ConfigError` naming the first key that is wrong."""
    return parse_run_config(ForecastConfig, document)


def load_forecast_config(path: Union[str, Path]) -> ForecastConfig:
    """Read a YAML or JSON file. Raises `ConfigError`."""
    return parse_forecast_config(read_run_document(path))
