"""Train a potential on your own extended XYZ file, then use it.

Your file holds structures with energies (eV) and forces (eV/A) as ASE writes them. To have one here, the example
labels shaken ethanol molecules with a bundled model, which stands in for your quantum chemistry.
"""

from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.singlepoint import SinglePointCalculator

from sakeff import SAKECalculator
from sakeff.structures import load_structure
from sakeff.training.config import parse_train_config
from sakeff.training.run import train


def make_data(path: Path, frames: int = 60, seed: int = 0) -> None:
    """Your part: structures with energies and forces."""
    reference, rng, labelled = SAKECalculator("so3krates-gfn2"), np.random.default_rng(seed), []
    for _ in range(frames):
        atoms = load_structure("ethanol_gfn2").copy()
        atoms.positions += rng.normal(scale=0.05, size=atoms.positions.shape)
        atoms.calc = reference
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        labelled.append(atoms)
    ase.io.write(path, labelled, format="extxyz")


RECIPE = {
    "data": {"path": "my_data.xyz", "train": 40, "validation": 10, "options": {"level_of_theory": "my method"}},
    "potential": {"representation": {"name": "so3krates", "width": 24, "layers": 2, "heads": 2, "basis_size": 16}},
    "optimizer": {"learning_rate": 0.005},
    "schedule": {"warmup_steps": 10},
    "average_decay": 0.95,
    "batch_size": 8,
    "steps": 150,
    "validate_every": 50,
    "log_every": 10,
}

if __name__ == "__main__":
    make_data(Path("my_data.xyz"))
    checkpoint = train(parse_train_config(RECIPE), "my_run")
    atoms = load_structure("ethanol_gfn2")
    atoms.calc = SAKECalculator(checkpoint)
    print(f"trained: {checkpoint}, energy of ethanol {atoms.get_potential_energy():.3f} eV")
    print(Path("my_run/metrics.json").read_text(encoding="utf-8"))
