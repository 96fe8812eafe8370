"""What is timed: each package with each model and each way to call it."""

import math
from typing import NamedTuple, Sequence

# The ratios of all others are to this entry: the same architecture with the same hyperparameters.
REFERENCE = "so3krates-torch"
# Routes differ by an overhead that is best seen on few atoms, and every route is a process with memory of its own.
FEWER_ATOMS = 1000
FEW_ATOMS = 2000


class Entry(NamedTuple):
    """One curve of the plot. ``options`` are those of ``make`` in the module."""

    key: str
    label: str
    package: str  # whose environment it runs in
    module: str  # of benchmarks.packages
    options: dict[str, str]
    is_main: bool  # has a curve in the plot, and its memory is measured
    most_atoms: float = math.inf  # on larger structures it is not timed


MODELS = {"so3krates": "So3krates", "sake": "SAKE"}
ROUTES = {
    "program": "exported file",
    "ase": "ASE calculator",
    "torchforce": "OpenMM TorchForce",
    "pythonforce": "OpenMM PythonForce",
}
PATHS = {"auto": "fast path", "native": "native operator", "torch": "pure torch", "reference": "reference"}
MOST_ATOMS = {"program": math.inf, "ase": FEW_ATOMS, "torchforce": FEW_ATOMS, "pythonforce": FEWER_ATOMS}
OURS = "sakeff"

OTHERS = (
    Entry(REFERENCE, "so3krates-torch", "so3krates-torch", "so3krates_torch", {"route": "ase"}, True),
    Entry(
        "so3krates-torch/model",
        "so3krates-torch, model alone (no list)",
        "so3krates-torch",
        "so3krates_torch",
        {"route": "model"},
        False,
        FEWER_ATOMS,
    ),
    Entry("torchmd-net/et", "TorchMD-Net ET 128x6", "torchmd-net", "torchmd_net", {"model": "et"}, True),
    Entry("torchmd-net/tensornet", "TensorNet 128x2", "torchmd-net", "torchmd_net", {"model": "tensornet"}, True),
    Entry("mace-torch", "MACE 96x0e, 2 layers", "mace-torch", "mace_torch", {}, True),
)


def our_entry(model: str, path: str, route: str) -> Entry:
    """One way to call one of our models."""
    options = {"model": model, "path": path, "route": route}
    label = f"sakeff {MODELS[model]}, {PATHS[path]}, {ROUTES[route]}"
    return Entry(f"{OURS}/{model}/{path}/{route}", label, OURS, "ours", options, route == "program", MOST_ATOMS[route])


def our_entries(paths: Sequence[str], models: Sequence[str], routes: Sequence[str]) -> list[Entry]:
    """Every one of ``routes`` for the first path; for further paths the exported file alone."""
    first = [our_entry(model, path, route) for model in models for path in paths[:1] for route in routes]
    further = [our_entry(model, path, "program") for model in models for path in paths[1:]]
    return first + further
