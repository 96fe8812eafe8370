"""docs/benchmark.json: one run for each device, each with the machine it was measured on."""

import json
from pathlib import Path
from typing import Any

from sakeff.io import atomic_path, refuse_existing

FORMAT = 1
DEVICES = ("cpu", "cuda")
NO_RUN = {"not_measured": "no run on such a device yet"}


def read_runs(path: Path) -> dict[str, Any]:
    """The runs of a document, or none if there is no file."""
    if not path.exists():
        return dict.fromkeys(DEVICES, NO_RUN)
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise SystemExit(f"{path} has another format; choose another --output.")
    return document["runs"]


def write_run(path: Path, device: str, run: dict[str, Any], overwrite: bool) -> dict[str, Any]:
    """Put one run in its place, keep that of the other device, and return both."""
    refuse_existing(path, overwrite)
    runs = {**read_runs(path), device: run}
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(json.dumps({"format": FORMAT, "runs": runs}, indent=1) + "\n", encoding="utf-8")
    return runs
