"""Small labelled data sets and recipes to train on."""

import numpy as np
import torch

from sakeff.data.frames import Frames
from sakeff.data.padding import choose_capacity
from sakeff.data.store import FrameStore
from sakeff.training.ema import WeightAverage
from sakeff.training.loss import EnergyForceLoss
from sakeff.training.step import TrainStep
from sakeff.training.update import WeightUpdate
from sakeff.training.world import SingleProcess

TINY = {"name": "so3krates", "width": 8, "layers": 1, "heads": 2, "degrees": [1, 2], "cutoff": 3.0, "basis_size": 4}
WATER = np.array([[0.0, 0.0, 0.1], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]])

RATE = 0.01  # learning rate of `make_step`
# A run of any kind that ends soon and validates more than once.
RUN = {
    "schedule": {"warmup_steps": 2},
    "steps": 8,
    "validate_every": 3,
    "log_every": 2,
    "average_decay": 0.9,
    "dtype": "float64",
}


def springs(positions, reference, stiffness=5.0):
    """Energy and forces of springs between all atoms of a molecule, eV and eV/A."""
    vector = positions[:, None] - positions[None]
    distance = np.sqrt((vector**2).sum(-1) + np.eye(len(positions)))
    rest = np.sqrt(((reference[:, None] - reference[None]) ** 2).sum(-1) + np.eye(len(positions)))
    energy = 0.25 * stiffness * ((distance - rest) ** 2).sum()
    forces = -(stiffness * (distance - rest) / distance)[..., None] * vector
    return energy, forces.sum(1)


def make_frames(count=12, seed=0, offset=-10.0):
    """Shaken water and shaken oxygen-hydrogen pairs, whose energies rest on `offset` eV per atom."""
    rng = np.random.default_rng(seed)
    numbers, positions, energies, forces, groups = [], [], [], [], []
    for index in range(count):
        atoms = 3 if index % 3 else 2
        shaken = WATER[:atoms] + 0.1 * rng.normal(size=(atoms, 3))
        energy, force = springs(shaken, WATER[:atoms])
        numbers.append(np.array([8, 1, 1][:atoms]))
        positions.append(shaken)
        energies.append(energy + offset * atoms)
        forces.append(force)
        groups.append("HOH" if atoms == 3 else "OH")
    return Frames.build(numbers, positions, forces, energies, "springs", groups=groups)


def recipe(path, **changes):
    """A training document for a tiny potential."""
    document = {
        "data": {"path": str(path), "train": 8, "validation": 2, "test": 2},
        "potential": {"representation": TINY},
        "optimizer": {"learning_rate": 0.005},
        "batch_size": 4,
    }
    return {**RUN, **document, **changes}


def make_step(frames, potential, device="cpu"):
    """A training step of eq. 35 with weights 0.2 and 0.8 on five structures at a time."""
    potential.to(device).train()
    store = FrameStore(frames, potential.requests(), device=device, dtype=torch.float64)
    average = WeightAverage(potential, 0.9)
    rate = torch.tensor(RATE, device=device)
    optimizer = torch.optim.Adam(average.weights, lr=rate, fused=True, capturable=device == "cuda")
    loss = EnergyForceLoss(0.2, 0.8)
    capacity = choose_capacity(store.sizes, 5)
    return TrainStep(potential, store, capacity, loss, WeightUpdate(optimizer, 1e6, average), SingleProcess())
