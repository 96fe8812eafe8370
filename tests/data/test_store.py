import math

import numpy as np
import pytest
import torch

from sakeff.config import build_potential, parse_potential_config
from sakeff.data.frames import Frames
from sakeff.data.padding import choose_capacity
from sakeff.data.store import PADDING_LENGTH, FrameStore, frames_to_system
from sakeff.errors import DataError
from sakeff.geometry import edge_vectors
from sakeff.neighbours import neighbour_list

CUTOFF = 2.5


def make_frames(periodic=False, seed=3):
    rng = np.random.default_rng(seed)
    counts = [1, 4, 2, 6, 3]
    cell = np.tile(np.diag([3.1, 3.4, 4.0]), (5, 1, 1)) if periodic else None
    return Frames.build(
        numbers=[rng.choice([1, 6, 8], n) for n in counts],
        positions=[1.7 * rng.normal(size=(n, 3)) for n in counts],
        forces=[rng.normal(size=(n, 3)) for n in counts],
        energy=[1.0, np.nan, 3.0, 4.0, 5.0],
        level_of_theory="random",
        cell=cell,
        pbc=np.tile([True, periodic, False], (5, 1)) if periodic else None,
        charge=np.arange(5.0),
    )


@pytest.mark.parametrize(("periodic", "cutoff"), [(False, CUTOFF), (True, CUTOFF), (False, math.inf)])
def test_a_batch_is_the_chosen_frames_and_padding(periodic, cutoff):
    frames = make_frames(periodic)
    store = FrameStore(frames, [cutoff], dtype=torch.float64)
    chosen = [3, 0, 4]
    batch = store.batch(torch.tensor(chosen), choose_capacity(store.sizes, 3))
    expected = frames_to_system(frames.select(chosen))
    found = neighbour_list(expected, cutoff)
    atoms, edges = len(expected.numbers), len(found.centre)
    assert edges > 0
    torch.testing.assert_close(batch.system.positions[:atoms], expected.positions, rtol=0, atol=0)
    assert torch.equal(batch.system.numbers[:atoms], expected.numbers)
    assert torch.equal(batch.system.batch[:atoms], expected.batch)
    assert torch.equal(batch.system.pbc[:3], expected.pbc)
    assert torch.equal(batch.system.cell[:3], expected.cell)
    assert torch.equal(batch.system.charge[:3], expected.charge)
    got = batch.neighbours[0]
    assert got.cutoff == cutoff
    for name in ("centre", "other", "shift", "reverse"):
        assert torch.equal(getattr(got, name)[:edges], getattr(found, name)), name
    assert torch.all(batch.system.batch[atoms:] == 3)
    assert torch.all(got.centre[edges:] == len(batch.system.numbers) - 1)


def test_padding_edges_are_long_loops_that_are_their_own_reverse():
    store = FrameStore(make_frames(), [CUTOFF], dtype=torch.float64)
    batch = store.batch(torch.tensor([2, 5, 5]), choose_capacity(store.sizes, 3))
    padding = slice(int(store.sizes.edges[0][2]), None)
    got = batch.neighbours[0]
    assert len(got.centre[padding]) > 0
    length = edge_vectors(batch.system, got).vector[padding].norm(dim=1)
    torch.testing.assert_close(length, torch.full_like(length, PADDING_LENGTH))
    assert torch.equal(got.reverse[padding], torch.arange(len(got.centre))[padding])
    assert torch.equal(got.reverse[got.reverse], torch.arange(len(got.centre)))
    assert torch.all(got.centre.diff() >= 0)
    assert torch.all(batch.system.batch.diff() >= 0)


def test_padding_and_missing_labels_have_no_weight():
    store = FrameStore(make_frames(), [CUTOFF], dtype=torch.float64)
    labels = store.batch(torch.tensor([1, 2, 5]), choose_capacity(store.sizes, 3)).labels
    assert labels.energy_weight.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert labels.force_weight.tolist() == [1.0] * 6 + [0.0] * (len(labels.force_weight) - 6)
    assert torch.isfinite(labels.energy).all()


REPRESENTATIONS = [
    {"name": "so3krates", "width": 8, "layers": 2, "heads": 2, "degrees": [1, 2]},
    {"name": "so3krates", "width": 6, "layers": 1, "heads": 2, "nonlocal_kappa": 1.0},
    {"name": "sake", "width": 8, "layers": 2},
]


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_padding_changes_neither_energies_nor_forces(representation):
    frames = make_frames()
    config = parse_potential_config({"elements": [1, 6, 8], "representation": representation})
    potential = build_potential(config).double().eval()
    store = FrameStore(frames, potential.requests(), dtype=torch.float64)
    batch = store.batch(torch.tensor([4, 1, 5, 3]), choose_capacity(store.sizes, 4))
    prediction = potential(batch.system, batch.neighbours)
    first = 0
    for slot, index in [(0, 4), (1, 1), (3, 3)]:
        alone = frames_to_system(frames.frame(index))
        expected = potential(alone, [neighbour_list(alone, cutoff) for cutoff in potential.requests()])
        torch.testing.assert_close(prediction.energy[slot], expected.energy[0], rtol=1e-12, atol=1e-12)
        rows = slice(first, first + len(alone.numbers))
        torch.testing.assert_close(prediction.forces[rows], expected.forces, rtol=1e-10, atol=1e-11)
        first = rows.stop
    assert prediction.energy[2] == 0.0


def test_mean_neighbours_counts_edges_per_atom():
    frames = make_frames()
    store = FrameStore(frames, [math.inf])
    counts = frames.n_atoms
    assert store.mean_neighbours == [pytest.approx((counts * (counts - 1)).sum() / counts.sum())]


@pytest.mark.parametrize("periodic", [False, True])
def test_overlapping_atoms_are_refused(periodic):
    """Positions in nm, or an atom twice, also across the border of a cell, would only make the loss odd."""
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.9 if periodic else 0.1]])
    both = Frames.build(
        numbers=[np.array([8, 1])] * 2,
        positions=[positions + [[0.0], [1.0]] * np.array([1.0, 0.0, 0.0]), positions],
        forces=[np.zeros((2, 3))] * 2,
        energy=[0.0, 0.0],
        level_of_theory="none",
        cell=np.tile(4.0 * np.eye(3), (2, 1, 1)) if periodic else None,
        pbc=np.full((2, 3), periodic),
        groups=["apart", "overlapping"],
    )
    FrameStore(both.select([0]), [CUTOFF])
    with pytest.raises(
        DataError, match=r"2 atoms \(group overlapping\) has two of them 0\.100 A apart; check the units"
    ):
        FrameStore(both, [CUTOFF])
