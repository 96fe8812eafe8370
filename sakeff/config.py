"""The configuration of a potential: what is written to config.json and what builds the module."""

import math
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import nn

from sakeff.errors import ConfigError
from sakeff.heads import EnergyReadout
from sakeff.nn.embedding import MAX_ATOMIC_NUMBER, ElementEmbedding
from sakeff.nn.mlp import PartLinear
from sakeff.potential import Potential
from sakeff.representations import make_representation

# Hyperparameters that every representation means in the same way.
POSITIVE = {"cutoff", "width", "layers", "heads", "basis_size"}


class PotentialConfig(BaseModel):
    """Elements (atomic numbers) and the representation, e.g. ``{"name": "sake", "width": 64}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    elements: list[int] = Field(min_length=1)
    representation: dict[str, Any]

    @field_validator("elements")
    @classmethod
    def _known_elements(cls, elements: list[int]) -> list[int]:
        if any(z < 1 or z > MAX_ATOMIC_NUMBER for z in elements) or len(set(elements)) != len(elements):
            raise ValueError(f"elements must be distinct atomic numbers from 1 to {MAX_ATOMIC_NUMBER}")
        return sorted(elements)

    @field_validator("representation")
    @classmethod
    def _named(cls, representation: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(representation.get("name"), str):
            raise ValueError("representation needs a 'name'")
        for key in POSITIVE & representation.keys():
            value = representation[key]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise ValueError(f"{key} must be a positive number, not {value!r}")
        return representation


def parse_potential_config(data: dict[str, Any]) -> PotentialConfig:
    """A validated configuration; raises ConfigError with the first problem."""
    try:
        return PotentialConfig.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        raise ConfigError(f"The potential's configuration is not valid at {where!r}: {first['msg']}.") from error


def build_potential(config: PotentialConfig, seed: int = 0) -> Potential:
    """A float32 potential with random weights that depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        representation = make_representation(**config.representation)
        potential = Potential(
            config.elements,
            ElementEmbedding(config.elements, representation.width),
            representation,
            EnergyReadout(representation.width),
        )
        potential.apply(initialise_weights)
    return potential


def initialise_weights(module: nn.Module) -> None:
    """Weights of variance 1/fan-in and zero biases, so that signals keep their size from layer to layer."""
    if isinstance(module, nn.Linear):
        fan_in = module.fan_in if isinstance(module, PartLinear) else module.in_features
        nn.init.normal_(module.weight, std=fan_in**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
