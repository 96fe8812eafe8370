"""The header of an exported program: what a file must say about itself."""

import hashlib
import json
import math
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import nn

from sakeff import __version__
from sakeff.checkpoint import UNITS
from sakeff.errors import CheckpointError, ConfigError

FORMAT = "sakeff-program-1"
DTYPES = {"float32": torch.float32, "float64": torch.float64}


class ProgramHeader(BaseModel):
    """Everything a user of a program needs to know without running it. A cutoff of None means all pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["sakeff-program-1"]
    elements: list[int]
    charges: list[float]
    spins: list[float]
    cutoffs: list[float | None]  # A
    skin: float  # A
    dtype: Literal["float32", "float64"]
    kernels: Literal["native", "torch", "reference"] = "reference"  # native: needs the compiled operators
    units: Literal["eV, angstrom"]
    weights_sha256: str
    reference_energies: dict[int, float]  # eV of each element, contained in the energy
    level_of_theory: str | None
    code_version: str
    provenance: dict[str, Any]

    @property
    def allows_periodic(self) -> bool:
        """Whether the program takes periodic structures: all pairs exist only in open ones."""
        return all(cutoff is not None for cutoff in self.cutoffs)


def torch_dtype(name: str) -> torch.dtype:
    """float32 or float64 from its name; raises ConfigError."""
    if name not in DTYPES:
        raise ConfigError(f"Unknown dtype {name!r}; choose one of {sorted(DTYPES)}.")
    return DTYPES[name]


def weights_sha256(potential: nn.Module) -> str:
    """Hash of all parameters and buffers of a potential, the same for its eager and its scripted form."""
    digest = hashlib.sha256()
    tensors = {**dict(potential.named_parameters()), **dict(potential.named_buffers())}
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def make_header(
    program: nn.Module, skin: float, dtype: str, provenance: dict[str, Any], kernels: str = "reference"
) -> ProgramHeader:
    """Describe an eager program; ``provenance`` is that of the checkpoint and is carried along."""
    potential = program.potential
    elements = potential.elements.tolist()
    energies = potential.reference.energies
    return ProgramHeader(
        format=FORMAT,
        elements=elements,
        charges=program.charges,
        spins=program.spins,
        cutoffs=[None if math.isinf(cutoff) else cutoff for cutoff in program.cutoffs],
        skin=skin,
        dtype=dtype,
        kernels=kernels,
        units=UNITS,
        weights_sha256=weights_sha256(potential),
        reference_energies={number: float(energies[number]) for number in elements},
        level_of_theory=provenance.get("level_of_theory"),
        code_version=__version__,
        provenance=provenance,
    )


def parse_header(text: str, where: str) -> ProgramHeader:
    """Read a header; raises CheckpointError for another format, missing entries or other units."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise CheckpointError(f"The header of {where} is damaged ({error}); export the model again.") from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != FORMAT:
        raise CheckpointError(f"{where} has format {found!r}, this version reads {FORMAT!r}; export the model again.")
    try:
        return ProgramHeader.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(
            f"The header of {where} is not valid at {entry!r} ({first['msg']}); export the model again."
        ) from error
