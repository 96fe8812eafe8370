"""``sakeff info``."""

from pathlib import Path
from typing import Any

import click

from sakeff.cli.common import print_pairs
from sakeff.cli.models import symbols


@click.command(short_help="Print the card of MODEL.")
@click.argument("model")
def info(model: str) -> None:
    """Print the card of MODEL: what it is, what it was trained on, how good it is, and its files."""
    from sakeff.zoo import resolve_model

    path = resolve_model(model)
    print_pairs(program_card(path) if path.is_file() else checkpoint_card(path))


def checkpoint_card(folder: Path) -> list[tuple[str, str]]:
    """Names and values about a checkpoint folder; the checkpoint is loaded, so a damaged one is noticed."""
    from sakeff.checkpoint import load_checkpoint, read_document
    from sakeff.fast.accelerate import accelerate

    document, checkpoint = read_document(folder), load_checkpoint(folder)
    potential = checkpoint.potential
    parameters = list(potential.parameters())
    fast = accelerate(potential, "auto", parameters[0].dtype)
    representation = dict(checkpoint.config.representation)
    return [
        ("folder", str(folder)),
        ("representation", str(representation.pop("name"))),
        *[(f"  {key}", str(value)) for key, value in representation.items()],
        ("elements", symbols(checkpoint.config.elements)),
        ("cutoffs / A", ", ".join(f"{cutoff:g}" for cutoff in potential.requests())),
        ("parameters", f"{sum(parameter.numel() for parameter in parameters):,}"),
        ("dtype", str(parameters[0].dtype).removeprefix("torch.")),
        ("kernels here", f"{fast.kernels} ({fast.reason})"),
        ("weights sha256", document["weights_sha256"]),
        *_flatten(checkpoint.provenance),
        *_files(folder),
    ]


def program_card(path: Path) -> list[tuple[str, str]]:
    """Names and values about an exported file."""
    from sakeff.export.torchscript import load_program

    header = load_program(path).header.model_dump()
    return [("exported file", str(path)), *_flatten(header), ("size", f"{path.stat().st_size:,} bytes")]


def _flatten(values: dict[str, Any], indent: str = "") -> list[tuple[str, str]]:
    """Nested dictionaries as indented lines."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [(f"{indent}{key}", ""), *_flatten(value, indent + "  ")]
        elif key == "elements":
            lines.append((f"{indent}{key}", symbols(value)))
        else:
            lines.append((f"{indent}{key}", f"{value:.6g}" if isinstance(value, float) else str(value)))
    return lines


def _files(folder: Path) -> list[tuple[str, str]]:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [("files", ""), *[(f"  {path.name}", f"{path.stat().st_size:,} bytes") for path in files]]
