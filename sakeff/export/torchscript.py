"""Programs as TorchScript: made, written with a header, read back and compared. The only place that scripts."""

import io
import logging
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sakeff.errors import CheckpointError
from sakeff.export.agreement import check_against_reference
from sakeff.export.header import ProgramHeader, make_header, parse_header, torch_dtype, weights_sha256
from sakeff.export.probe import probe_systems
from sakeff.export.program import DEFAULT_SKIN, Program, gradients_enabled
from sakeff.fast.accelerate import accelerate, fast_form
from sakeff.fast.build import load_operators, operators_available
from sakeff.io import atomic_path
from sakeff.neighbours import TorchSearch
from sakeff.potential import Potential
from sakeff.types import System

logger = logging.getLogger(__name__)

HEADER_FILE = "sakeff-program.json"
# Largest relative difference allowed between a file and its eager twin. Both sum the same numbers in the same order,
# but a fused kernel may round differently: float32 has a grain of 6e-8, and a network some hundred operations in a row.
TOLERANCE = {"float32": 1e-4, "float64": 1e-9}
# TorchScript watches two calls before it optimises; later calls run what users will run.
PROBE_CALLS = 4


class LoadedProgram(NamedTuple):
    """A scripted program with its description."""

    program: nn.Module
    header: ProgramHeader


class MadeProgram(NamedTuple):
    """A program for an engine with its description.

    ``reference`` is the eager float64 program of the trained potential if the program is on a fast path and made here.
    """

    program: nn.Module
    header: ProgramHeader
    reference: nn.Module | None = None


def eager_program(
    potential: Potential,
    provenance: dict[str, Any],
    skin: float = DEFAULT_SKIN,
    dtype: str = "float32",
    kernels: str = "reference",
) -> MadeProgram:
    """A program around a copy of the potential in the precision and on the path asked for (``fast.accelerate``).

    ``provenance`` gives charges and spins. A fast path is compared with the reference on probe structures first.
    Raises ConfigError, OperatorsUnavailableError and AgreementError.
    """
    made = accelerate(potential, kernels, torch_dtype(dtype))
    states = provenance.get("charges"), provenance.get("spins")
    program = Program(made.potential, TorchSearch(), skin, *states)
    header = make_header(program, skin, dtype, provenance, made.kernels)
    if made.kernels == "reference":
        return MadeProgram(program, header)
    logger.info("Fast path: %s kernels (%s).", made.kernels, made.reason)
    exact = accelerate(potential, "reference", torch.float64).potential
    opened = MadeProgram(program, header, Program(exact, TorchSearch(), 0.0, *states))
    for system in probe_systems(header.elements, header.allows_periodic):
        check_on(opened, system)
    return opened


def check_on(opened: MadeProgram, system: System) -> None:
    """Compare a program made here with its reference on one structure; nothing to do for the reference itself.

    Raises AgreementError.
    """
    if opened.reference is not None:
        state = opened.header.charges[0], opened.header.spins[0]
        check_against_reference(opened.program, opened.reference, system, *state, opened.header.dtype)


def scripted(module: nn.Module) -> torch.jit.ScriptModule:
    """The module in TorchScript, in evaluation mode."""
    return torch.jit.script(module).eval()


def scripted_to_bytes(module: torch.jit.ScriptModule) -> bytes:
    """A scripted module as the content of a file."""
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    return buffer.getvalue()


def scripted_from_bytes(content: bytes, device: str = "cpu") -> torch.jit.ScriptModule:
    """The module back from ``scripted_to_bytes``."""
    return torch.jit.load(io.BytesIO(content), map_location=device)


def export_program(
    potential: Potential,
    path: Path,
    provenance: dict[str, Any],
    skin: float = DEFAULT_SKIN,
    dtype: str = "float32",
    overwrite: bool = False,
    kernels: str = "reference",
) -> ProgramHeader:
    """Write a file that runs alone: torch is all it needs, on any device, for any structure.

    With ``kernels="native"`` it also needs the C++ operators, which ``load_program`` compiles or finds. The file is
    read back and compared with the eager program before it takes its name. Raises OutputExistsError, OutputError,
    ConfigError, AgreementError, and CheckpointError if file and eager program disagree.
    """
    eager = eager_program(potential, provenance, skin, dtype, kernels)
    with atomic_path(Path(path), overwrite) as temporary:
        extra = {HEADER_FILE: eager.header.model_dump_json(indent=2)}
        # Into memory first: torch aborts the process when its own writer meets a full disk.
        content = io.BytesIO()
        torch.jit.save(scripted(eager.program), content, _extra_files=extra)
        temporary.write_bytes(without_source_locations(content))
        check_agreement(eager, load_program(temporary).program)
    return eager.header


def native_sibling(path: Path) -> Path:
    """The file with the operators beside an exported file: program.native.pt beside program.pt."""
    return path.with_suffix(f".native{path.suffix}")


def export_both(potential: Potential, path: Path, provenance: dict[str, Any], **options: Any) -> list[Path]:
    """Write the fast path twice: ``path`` runs anywhere, and beside it, where a compiler is, the one with operators.

    A model without a fast path is written as it is. ``options`` are skin, dtype and overwrite of ``export_program``,
    and so are the errors. Returns the files.
    """
    if fast_form(potential.representation) is None:
        export_program(potential, path, provenance, **options)
        return [path]
    export_program(potential, path, provenance, **options, kernels="torch")
    if not operators_available():
        return [path]
    export_program(potential, native_sibling(path), provenance, **options, kernels="native")
    return [path, native_sibling(path)]


def without_source_locations(program: io.BytesIO) -> bytes:
    """The archive without its debug records, which name folders of the machine that made it."""
    stripped = io.BytesIO()
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(stripped, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(entry, old.read(entry))
    return stripped.getvalue()


def load_program(path: Path, device: str = "cpu") -> LoadedProgram:
    """Read an exported program. Its header is checked before torch opens the file, its weights afterwards.

    Raises CheckpointError for files that are missing, damaged, of another format or changed after the export, and
    OperatorsUnavailableError for one that needs operators which cannot be had here.
    """
    path = Path(path)
    header = read_header(path)
    if header.kernels == "native":
        load_operators()
    try:
        program = torch.jit.load(str(path), map_location=device)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise CheckpointError(f"{path} is damaged ({reason}); export the model again.") from error
    if weights_sha256(program.potential) != header.weights_sha256:
        raise CheckpointError(f"The weights in {path} are not those of its header; export the model again.")
    return LoadedProgram(program.eval(), header)


def read_header(path: Path) -> ProgramHeader:
    """The header of an exported program; opens the archive without torch, so nothing in it runs."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(f"/extra/{HEADER_FILE}")]
            if not names:
                raise CheckpointError(f"{path} is not a program exported by sakeff; make one with export_program.")
            text = archive.read(names[0]).decode("utf-8")
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read as an exported program ({error}); export the model again."
        ) from error
    return parse_header(text, str(path))


def check_agreement(eager: MadeProgram, other: nn.Module) -> None:
    """Raise CheckpointError unless both give the same numbers on probe structures, before and after optimisation.

    Differences are relative to the largest force (eV/A), or to 1 where forces are smaller: reference energies of
    thousands of eV would hide an error.
    """
    tolerance = TOLERANCE[eager.header.dtype]
    for system in probe_systems(eager.header.elements, eager.header.allows_periodic):
        expected = run(eager, eager.program, system)
        scale = expected[2].abs().max().clamp(min=1.0)
        for _ in range(PROBE_CALLS):
            found = run(eager, other, system)
            worst = max(float((one - two).abs().max() / scale) for one, two in zip(expected, found, strict=True))
            if not worst <= tolerance:
                raise CheckpointError(
                    f"The exported program differs from the potential by {worst:.1e} (relative; allowed {tolerance});"
                    " use another torch version, or dtype='float64' if the potential is very steep."
                )


def run(described: MadeProgram, program: nn.Module, system: System) -> list[Tensor]:
    """Outputs of a program on a system of one structure, in the first charge and spin it was trained for."""
    charge, spin = described.header.charges[0], described.header.spins[0]
    with gradients_enabled():
        return list(program(system.numbers, system.positions, system.cell[0], system.pbc[0], charge, spin))
