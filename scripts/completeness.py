"""How much of each space of fragments the features of SINet and SiFormer span.

    python scripts/completeness.py
    python scripts/completeness.py --models runs/my-sinet

Section 5.2 of the scalar-interaction paper: the C fragments of degree l that an atom brings into a layer are columns
of a matrix H^l, and r(l) = rank(H^l) / (2l + 1) is 1 where they span the space. Mean and standard deviation over all
atoms of the bundled GFN2-xTB minima. The paper records trained models on QM9; here weights are random (a rank does not
depend on generic weights) unless trained potentials are named. Singular values below 1e-6 of the largest count as zero,
as in single precision: fragments that reach an atom through faint edges only are not counted. Prints a table and writes
docs/completeness.json.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sakeff.config import build_potential, parse_potential_config
from sakeff.drivers.report import table
from sakeff.geometry import edge_vectors
from sakeff.io import write_text
from sakeff.neighbours import neighbour_list
from sakeff.potential import Potential
from sakeff.structures import load_structure
from sakeff.types import System, single_system
from sakeff.zoo import load_potential

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "completeness.json"
STRUCTURES = ("ethanol_gfn2", "alanine_gfn2", "riboflavin_gfn2", "ala10_helix_gfn2")
TOLERANCE = 1e-6  # of the largest singular value: less counts as linearly dependent
# Cutoffs in A: a usual one, and one that leaves an atom little more than its bonded neighbours.
RANDOM = [(name, cutoff) for name in ("sinet", "siformer") for cutoff in (5.0, 2.0)]


def completeness(fragments: Tensor, l: int) -> Tensor:
    """r(l) (N,) of fragments (N, M, C), whose orders run through the degrees from 1 on."""
    matrices = fragments[:, l * l - 1 : (l + 1) ** 2 - 1]
    return torch.linalg.matrix_rank(matrices, rtol=TOLERANCE) / (2 * l + 1)


@torch.no_grad()
def layer_inputs(potential: Potential, system: System) -> list[Tensor]:
    """Fragments (N, M, C) that enter each layer."""
    found: list[Tensor] = []
    layers: Any = potential.representation.layers
    hooks = [
        layer.register_forward_pre_hook(lambda _, arguments: found.append(arguments[0].fragments)) for layer in layers
    ]
    lists = [neighbour_list(system, cutoff) for cutoff in potential.requests()]
    initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch)
    potential.representation(initial, [edge_vectors(system, one) for one in lists])
    for hook in hooks:
        hook.remove()
    return found


def to_system(name: str) -> System:
    """A bundled structure in float64."""
    atoms = load_structure(name)
    return single_system(torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions))


def measure(potential: Potential) -> list[dict[str, Any]]:
    """Mean and standard deviation of r(l) for each layer and degree, over the atoms of all structures."""
    inputs = [layer_inputs(potential, to_system(name)) for name in STRUCTURES]
    rows = []
    for layer, fragments in enumerate(map(torch.cat, zip(*inputs, strict=True)), start=1):
        l_max = round((fragments.shape[1] + 1) ** 0.5) - 1
        ratios = [completeness(fragments, l) for l in range(1, l_max + 1)]
        means, deviations = [float(r.mean()) for r in ratios], [float(r.std(correction=0)) for r in ratios]
        rows.append({"layer": layer, "mean": means, "standard_deviation": deviations})
    return rows


def random_potential(name: str, cutoff: float, l_max: int, channels: int, layers: int) -> Potential:
    """Random weights, float64."""
    sizes = {"l_max": l_max, "channels": channels, "layers": layers, "cutoff": cutoff}
    config = parse_potential_config({"elements": [1, 6, 7, 8], "representation": {"name": name, **sizes}})
    return build_potential(config, seed=0).double().eval()


def as_table(results: dict[str, list[dict[str, Any]]]) -> str:
    """One row for each network and layer, one column for each degree."""
    rows = [
        [
            name,
            str(row["layer"]),
            *[f"{m:.3f} +- {s:.3f}" for m, s in zip(row["mean"], row["standard_deviation"], strict=True)],
        ]
        for name, layers in results.items()
        for row in layers
    ]
    degrees = max(len(row) for row in rows) - 2
    padded = [row + [""] * (degrees + 2 - len(row)) for row in rows]
    return table(["features", "layer", *[f"r({l})" for l in range(1, degrees + 1)]], padded)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models", nargs="*", default=[], help="names or folders of trained SINet or SiFormer potentials"
    )
    parser.add_argument("--l-max", type=int, default=5)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    size = (arguments.l_max, arguments.channels, arguments.layers)
    results = {f"{name}, {cutoff} A": measure(random_potential(name, cutoff, *size)) for name, cutoff in RANDOM}
    results.update({name: measure(load_potential(name).double().eval()) for name in arguments.models})
    setting = {
        "l_max": arguments.l_max,
        "channels": arguments.channels,
        "tolerance": TOLERANCE,
        "structures": STRUCTURES,
    }
    document = {"setting": setting, "results": results}
    write_text(arguments.output, json.dumps(document, indent=1) + "\n", overwrite=True)
    print(as_table(results))


if __name__ == "__main__":
    main()
