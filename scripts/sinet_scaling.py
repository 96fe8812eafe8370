"""Cost of one scalar interaction and of one tensor product against the maximum degree L.

    python scripts/sinet_scaling.py

The setting of section 5.1 of the scalar-interaction paper: a feature with `--channels` fragments of each degree 0..L
meets one with a single fragment of each. Both operations mix channels: the scalar interaction as a message of SINet
does, the tensor product is e3nn's `FullyConnectedTensorProduct` with the parities of spherical harmonics. Counts
multiplications in matrix products plus elements of all other results, and takes the shortest of several forward passes
on one thread. Exponents p of `cost ~ (L + 1)^p` are least-squares slopes over the larger half of the degrees: L + 1,
because a fragment of every degree has (L + 1)^2 components. Prints a table and writes docs/sinet_scaling.json.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import e3nn
import numpy as np
import torch
from e3nn import o3
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from sakeff.drivers.report import table
from sakeff.io import write_text
from sakeff.representations.scalar_interaction import FragmentLinear, ScalarInteraction

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "sinet_scaling.json"
SECONDS = 0.5  # of repetitions for one time

Operation = Callable[[], Any]


class Interaction(nn.Module):
    """What a message of SINet computes from the fragments of an atom and the harmonics of an edge."""

    def __init__(self, l_max: int, channels: int) -> None:
        super().__init__()
        self.mixing = FragmentLinear(l_max, channels, channels)
        self.from_scalars = nn.Linear(channels, channels)
        self.interaction = ScalarInteraction(l_max, channels, channels, 1, "smooth")

    def forward(self, fragments: Tensor, harmonics: Tensor, scalars: Tensor) -> Any:
        """(R, M, C), (R, M, 1) and (R, C) to scalars (R, C) and fragments (R, M, C)."""
        return self.interaction(self.mixing(fragments), harmonics, self.from_scalars(scalars))


def scalar_interaction(l_max: int, channels: int, rows: int) -> Operation:
    """One scalar interaction on random features."""
    module, orders = Interaction(l_max, channels), (l_max + 1) ** 2 - 1
    arguments = torch.randn(rows, orders, channels), torch.randn(rows, orders, 1), torch.randn(rows, channels)
    return lambda: module(*arguments)


def tensor_product(l_max: int, channels: int, rows: int) -> Operation:
    """One tensor product on random features; all paths, weights shared between rows."""
    harmonics = o3.Irreps.spherical_harmonics(l_max)
    features = o3.Irreps([(channels, irrep) for _, irrep in harmonics])
    module = o3.FullyConnectedTensorProduct(features, harmonics, features)
    arguments = torch.randn(rows, features.dim), torch.randn(rows, harmonics.dim)
    return lambda: module(*arguments)


OPERATIONS = {"scalar interaction": scalar_interaction, "tensor product": tensor_product}


class ElementCounter(TorchDispatchMode):
    """Counts the elements of all results that are computed; matrix products are left to FLOP counters."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        matrix_product = func._schema.name in {"aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm"}
        if isinstance(result, Tensor) and not func.is_view and not matrix_product:
            self.elements += result.numel()
        return result


@torch.no_grad()
def count(operation: Operation) -> float:
    """Multiplications of matrix products plus elements of other results."""
    with FlopCounterMode(display=False) as products:
        operation()
    with ElementCounter() as others:
        operation()
    return products.get_total_flops() / 2 + others.elements


@torch.no_grad()
def milliseconds(operation: Operation) -> float:
    """The shortest forward pass, after two to warm up."""
    operation(), operation()
    times: list[float] = []
    while len(times) < 3 or sum(times) < SECONDS:
        start = time.perf_counter()
        operation()
        times.append(time.perf_counter() - start)
    return 1000.0 * min(times)


def exponent(degrees: Sequence[int], costs: Sequence[float]) -> float:
    """The p of ``cost ~ (L + 1)^p`` over the larger half of the degrees."""
    half = len(degrees) // 2
    return float(np.polyfit(np.log(np.array(degrees[half:]) + 1.0), np.log(costs[half:]), 1)[0])


def measure(degrees: Sequence[int], channels: int, rows: int) -> dict[str, Any]:
    """Counts, times and their exponents for each operation."""
    found: dict[str, Any] = {}
    for name, make in OPERATIONS.items():
        operations = [make(l_max, channels, rows) for l_max in degrees]
        counts = [count(one) / rows for one in operations]
        times = [milliseconds(one) for one in operations]
        exponents = {"operations": exponent(degrees, counts), "milliseconds": exponent(degrees, times)}
        found[name] = {"operations": counts, "milliseconds": times, "exponents": exponents}
    return found


def as_table(degrees: Sequence[int], found: dict[str, Any]) -> str:
    """One row for each L, and the exponents."""
    columns = [(name, what) for name in found for what in ("operations", "milliseconds")]
    rows = [[str(l_max), *[f"{found[name][what][k]:.4g}" for name, what in columns]] for k, l_max in enumerate(degrees)]
    rows.append(["exponent", *[f"{found[name]['exponents'][what]:.2f}" for name, what in columns]])
    header = ["L", *[f"{name}: {'per row' if what == 'operations' else 'ms'}" for name, what in columns]]
    return table(header, rows, right=range(1, len(header)))


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--l-max", type=int, default=8)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--rows", type=int, default=256, help="edges at once")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", module="e3nn")
    degrees = list(range(1, arguments.l_max + 1))
    found = measure(degrees, arguments.channels, arguments.rows)
    setting = {"channels": arguments.channels, "rows": arguments.rows, "threads": 1, "dtype": "float32"}
    versions = {"torch": torch.__version__, "e3nn": e3nn.__version__}
    document = {"setting": setting, "versions": versions, "L": degrees, "results": found}
    write_text(arguments.output, json.dumps(document, indent=1) + "\n", overwrite=True)
    print(as_table(degrees, found))


if __name__ == "__main__":
    main()
