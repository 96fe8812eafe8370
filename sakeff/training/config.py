"""Everything that defines a training run, as one validated document (YAML or JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Literal, Optional, Tuple, Type, TypeVar, Union

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sakeff.errors import ConfigError


class Section(BaseModel):
    """Unknown keys are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(Section):
    """Files and their split. Integers count frames (groups with `by: group`), floats below 1 are fractions."""

    path: Union[str, List[str]]
    test_path: Optional[Union[str, List[str]]] = None  # without it, `test` is taken from `path`
    train: Union[int, float]
    validation: Union[int, float]
    test: Optional[Union[int, float]] = None  # default: what remains
    by: Literal["frame", "group"] = "frame"
    seed: int = 0
    options: Dict[str, Any] = Field(default_factory=dict)  # of the reader, e.g. labels: original


class LossConfig(Section):
    """Weights of energies (eV) and forces (eV/A); eq. 35 of So3krates with beta = 0.99 is the default."""

    energy: float = Field(default=0.01, ge=0)
    forces: float = Field(default=0.99, gt=0)
    penalty: Literal["square", "huber"] = "square"
    scaling: Literal["total", "per_atom"] = "total"


class OptimizerConfig(Section):
    """Adam, or with decoupled weight decay AdamW and Muon (CPU only); gradients are clipped to a joint norm."""

    name: Literal["adam", "adamw", "muon"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: Tuple[float, float] = (0.9, 0.999)
    clip: float = Field(default=1.0, gt=0)


class ScheduleConfig(Section):
    """Linear warm-up, then cosine over all steps, exponential with a half-life in steps, or constant."""

    name: Literal["cosine", "exponential", "constant"] = "cosine"
    warmup_steps: int = Field(default=200, ge=0)
    final: float = Field(default=0.001, ge=0, le=1)  # fraction of the learning rate never gone below
    half_life: Optional[float] = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _needs_half_life(self) -> ScheduleConfig:
        if (self.name == "exponential") != (self.half_life is not None):
            raise ValueError("half_life belongs to the exponential schedule, and that needs it")
        return self


# What may differ between the slices of one run: it changes where and how often, never the numbers.
FREE_ON_RESUME = ("device", "checkpoint_minutes", "compile")


class RunConfig(Section):
    """How anything is trained.

    Give the length as `steps` or as `epochs`; a run ends earlier after `patience` vain validations.
    """

    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    average_decay: float = Field(default=0.999, ge=0, lt=1)  # of the weights; 0 switches the average off
    batch_size: int = Field(default=32, ge=1)
    steps: Optional[int] = Field(default=None, ge=1)
    epochs: Optional[int] = Field(default=None, ge=1)
    validate_every: int = Field(default=500, ge=1)  # steps
    log_every: int = Field(default=50, ge=1)  # steps
    checkpoint_minutes: float = Field(default=5.0, ge=0)
    patience: Optional[int] = Field(default=None, ge=1)  # validations
    seed: int = 0
    device: str = "cpu"
    dtype: Literal["float32", "float64"] = "float32"
    compile: bool = False  # traces and compiles the gradient first: a minute or two, then about twice as fast

    @model_validator(mode="after")
    def _one_length(self) -> RunConfig:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give the length of the run either as steps or as epochs")
        return self

    def fixed_on_resume(self) -> Dict[str, Any]:
        """What must be equal when a run is resumed, as JSON has it."""
        fixed: Dict[str, Any] = json.loads(self.model_dump_json(exclude=set(FREE_ON_RESUME)))
        return fixed


class TrainConfig(RunConfig):
    """One run of a potential.

    `potential` is a potential's configuration; `elements` and `mean_neighbours` are filled in from the training set. A
    run that starts from a model needs none.
    """

    data: DataConfig
    potential: Optional[Dict[str, Any]] = None
    loss: LossConfig = LossConfig()
    reference_energies: Optional[Dict[int, float]] = None  # eV for each element; default: fitted by ridge


Run = TypeVar("Run", bound=RunConfig)


def parse_train_config(document: Dict[str, Any]) -> TrainConfig:
    """A validated configuration; raises `ConfigError` naming the first key that is wrong."""
    return parse_run_config(TrainConfig, document)


def load_train_config(path: Union[str, Path]) -> TrainConfig:
    """Read a YAML or JSON file. Raises `ConfigError`."""
    return parse_train_config(read_run_document(path))


def parse_run_config(kind: Type[Run], document: Dict[str, Any]) -> Run:
    """A validated configuration of this kind; raises `ConfigError` naming the first key that is wrong."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ConfigError(f"The training configuration is not valid at {where!r}: {first['msg']}.") from error


def read_run_document(path: Union[str, Path]) -> Dict[str, Any]:
    """The keys of a YAML or JSON file. Raises `ConfigError`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else _UniqueKeys(text).get_single_data()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, json.JSONDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} cannot be read as YAML or JSON ({reason}); mend or restore it.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no keys; a training configuration says at least what to train on what.")
    return document


class _UniqueKeys(yaml.SafeLoader):
    """YAML that gives no key twice; PyYAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
