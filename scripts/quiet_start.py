"""A non-local start from a local So3krates that keeps its messages: far pairs begin with none.

    python scripts/quiet_start.py so3krates-gfn2 --kappa 0.1 --data gfn2data/train.npz gfn2data/twins.npz --out start
    sakeff train recipe.yaml --from start

With `same_weights.py` the non-local correction (eq. 14) sends messages that nothing trained: far pairs meet filters
that know near pairs alone, and pairs both near and alike get their message twice. Here the filters (eq. 16) of the
geometric attention are fitted, layer by layer, so that on the given frames every pair keeps the message it had:

    (envelope_ij + weight_ij) alpha_ij  ->  envelope_ij alpha_ij of the local model,

which is none for a far pair. What it should be is then learned from the labels. Some of the frames should have far
partners, as those of `make_gfn2_dataset.py twins`.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from same_weights import with_settings
from torch import Tensor
from tqdm import tqdm

from sakeff.checkpoint import Checkpoint, save_checkpoint
from sakeff.data.frames import Frames, load
from sakeff.data.store import frames_to_system
from sakeff.errors import ConfigError, SakeffError
from sakeff.geometry import edge_vectors
from sakeff.io import refuse_existing
from sakeff.neighbours.all_pairs import all_pairs
from sakeff.potential import Potential
from sakeff.representations.so3krates import AttentionCoefficients, EdgeGeometry
from sakeff.training.evaluate import check_elements
from sakeff.types import System
from sakeff.zoo import load_potential

FRAMES = 600  # of each file, at random
BATCH = 10  # frames
WEIGHTED = 0.1  # of the loss: pairs with a non-local weight; those without one go first


class Seen(NamedTuple):
    """What the geometric attention of a layer sees of a batch, and the message that it should send along each pair."""

    scalars: Tensor  # (N, F)
    sphc_distance: Tensor  # (E, L)
    geometry: EdgeGeometry
    weight: Tensor  # (E, 1), of eq. 14
    message: Tensor  # (E, L), envelope times coefficient in the local model


def main(arguments: list[str] | None = None) -> int:
    """Write the start; the exit status is 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a local So3krates: a bundled model or a checkpoint folder")
    parser.add_argument("--kappa", type=float, required=True, help="nonlocal_kappa of the start")
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="frames (.npz); labels are not read")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint folder to write")
    parser.add_argument("--steps", type=int, default=2_000, help="of the fit of each layer")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        refuse_existing(options.out, overwrite=False)  # before the work, not after it
        data = [load(path) for path in options.data]
        start = quiet_start(options.model, options.kappa, data, options.steps, options.seed)
        save_checkpoint(options.out, start.potential, start.config, start.provenance)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def quiet_start(model: str, kappa: float, data: list[Frames], steps: int, seed: int) -> Checkpoint:
    """The local `model` with the non-local correction on, the filters of its geometric attentions fitted.

    Raises `ConfigError` if the model is not a local So3krates, `DataError` for elements that it does not know.
    """
    start, local = with_settings([model], {"nonlocal_kappa": kappa}), load_potential(model)
    if not local.representation.is_local:
        raise ConfigError(f"{model} has the non-local correction already; start from a local So3krates.")
    for frames in data:
        check_elements(local, frames)
    generator = torch.Generator().manual_seed(seed)
    batches = [observed(local, start.potential, system) for system in tqdm(list(drawn(data, generator)))]
    for layer, seen in zip(start.potential.representation.layers, zip(*batches, strict=True), strict=True):
        fit(layer.geometric.coefficients, seen, steps, generator)
    return start


def drawn(data: list[Frames], generator: torch.Generator) -> Iterator[System]:
    """Small batches of some frames of each file."""
    for frames in data:
        for some in torch.randperm(len(frames), generator=generator)[:FRAMES].split(BATCH):
            yield frames_to_system(frames.select(some.numpy()))


@torch.no_grad()
def observed(local: Potential, start: Potential, system: System) -> list[Seen]:
    """What the layers of `start` would see if its messages were those of the local model; pairs that count alone."""
    representation = local.representation
    scalars = local.embedding(system.numbers, system.charge, system.spin, system.batch).scalars
    edges = edge_vectors(system, all_pairs(system))
    pairs = representation.edge_geometry(edges._replace(vector=edges.vector.to(scalars.dtype)))
    sphc = representation.initial_sphc(pairs, len(scalars))
    seen = []
    for layer, non_local in zip(representation.layers, start.representation.layers, strict=True):
        weight = non_local.far[0](sphc, pairs.centre, pairs.other)
        counts = pairs.envelope + weight > 0
        geometry = EdgeGeometry(*(column[counts] for column in pairs))
        distance = layer.sphc_distance(sphc, geometry)
        message = layer.geometric.coefficients(scalars, distance, geometry) * geometry.envelope.unsqueeze(-1)
        seen.append(Seen(scalars, distance, geometry, weight[counts].unsqueeze(-1), message))
        scalars, sphc = layer(scalars, sphc, [geometry])
    return seen


def fit(attention: AttentionCoefficients, seen: tuple[Seen, ...], steps: int, generator: torch.Generator) -> None:
    """Adam on the squared errors of the messages, relative to the mean square of near ones; in place."""
    if not any((one.weight > 0).any() for one in seen):
        return  # no pair of this layer loses a message
    scale = torch.cat([one.message[one.geometry.envelope > 0] for one in seen]).square().mean()
    optimizer = torch.optim.Adam(attention.filters.parameters(), lr=2.0e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1.0e-5)
    for _ in (progress := tqdm(range(steps))):
        one = seen[int(torch.randint(len(seen), (), generator=generator))]
        coefficients = attention(one.scalars, one.sphc_distance, one.geometry)
        message = coefficients * (one.geometry.envelope.unsqueeze(-1) + one.weight)
        errors = (message - one.message).square().mean(-1) / scale
        weighted = one.weight[:, 0] > 0
        # a batch may have no pair of a kind: the sum over the length of at least one is then zero
        near, far = (errors[kind].sum() / kind.sum().clamp(min=1) for kind in (~weighted, weighted))
        optimizer.zero_grad()
        (near + WEIGHTED * far).backward()
        optimizer.step()
        schedule.step()
        progress.set_postfix(near=f"{near.item():.1e}", weighted=f"{far.item():.1e}", refresh=False)


if __name__ == "__main__":
    sys.exit(main())
