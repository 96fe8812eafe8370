"""Structures and builders shared by the tests. Everything is float64 and seeded."""

import math
import os
from pathlib import Path

import torch

from sakeff.config import build_potential, parse_potential_config
from sakeff.geometry import edge_vectors
from sakeff.neighbours import neighbour_list
from sakeff.types import single_system

ELEMENTS = [1, 6, 7, 8]


def shared_folder():
    """Design notes and data beside the checkout; may not exist."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("SAKEFF_SHARED", beside))


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def random_numbers(seed, *shape):
    """Normal numbers, float64."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def structure(numbers, positions, cell=None, pbc=None, charge=0.0, spin=0.0):
    """A ``System`` of one structure from lists or tensors."""
    positions = torch.as_tensor(positions, dtype=torch.float64)
    cell = None if cell is None else torch.as_tensor(cell, dtype=torch.float64)
    pbc = None if pbc is None else torch.as_tensor(pbc)
    return single_system(torch.as_tensor(numbers), positions, cell, pbc, charge, spin)


# ---------------------------------------------------------------- structures


def atom(number=6):
    return structure([number], [[0.3, -0.2, 0.1]])


def dimer(distance=1.1, numbers=(6, 8)):
    return structure(list(numbers), [[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])


def carbon_dioxide():
    return structure([8, 6, 8], [[-1.16, 0.0, 0.0], [0.0, 0.0, 0.0], [1.16, 0.0, 0.0]])


def benzene():
    """D6h in the xy plane: carbon k at 60 k degrees, its hydrogen is atom 6 + k."""
    angle = torch.arange(6, dtype=torch.float64) * math.pi / 3
    ring = torch.stack([torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)], dim=1)
    return structure([6] * 6 + [1] * 6, torch.cat([1.39 * ring, 2.48 * ring]))


def methane():
    """Td: hydrogens on alternating corners of a cube."""
    corners = tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    return structure([6, 1, 1, 1, 1], torch.cat([0.0 * corners[:1], 1.09 / math.sqrt(3) * corners]))


def ethanol(noise=0.05, seed=0):
    """Ethanol, shaken by ``noise`` (A) so that it has no symmetry and is not at rest."""
    positions = tensor(
        [
            [-0.867, 0.226, 0.205],
            [0.392, -0.357, -0.427],
            [1.556, 0.355, -0.082],
            [-1.743, -0.318, -0.139],
            [-0.973, 1.273, -0.068],
            [-0.818, 0.153, 1.291],
            [0.494, -1.416, -0.143],
            [0.331, -0.298, -1.516],
            [1.628, 0.382, 0.879],
        ]
    )
    return structure([6, 6, 8, 1, 1, 1, 1, 1, 1], positions + noise * random_numbers(seed, 9, 3))


def triclinic_box(seed=1, pbc=(True, True, True)):
    """Twelve atoms on a shaken lattice of spacing 2 A in a triclinic cell thinner than the usual cutoff."""
    grid = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64) for n in (2, 2, 3)])
    cell = tensor([[4.2, 0.0, 0.0], [0.9, 4.4, 0.0], [-0.6, 0.7, 6.3]])
    positions = (grid / tensor([2, 2, 3])) @ cell + 0.15 * random_numbers(seed, 12, 3)
    return structure([6, 1, 8, 1, 6, 1, 1, 8, 1, 6, 1, 1], positions, cell, list(pbc))


# ---------------------------------------------------------------- changes of a structure


def moved(system, positions):
    """The same atoms elsewhere."""
    return system._replace(positions=positions)


def at_many(system, positions):
    """A batch of the same structure at positions (P, N, 3)."""
    count, n_atoms = positions.shape[:2]
    return system._replace(
        numbers=system.numbers.repeat(count),
        positions=positions.reshape(-1, 3),
        cell=system.cell.repeat(count, 1, 1),
        pbc=system.pbc.repeat(count, 1),
        batch=torch.arange(count).repeat_interleave(n_atoms),
        charge=system.charge.repeat(count),
        spin=system.spin.repeat(count),
    )


def transformed(system, matrix):
    """Positions and cell times ``matrix``.T: a rotation, a reflection or a strain."""
    return system._replace(positions=system.positions @ matrix.T, cell=system.cell @ matrix.T)


def permuted(system, order):
    return system._replace(numbers=system.numbers[order], positions=system.positions[order])


def with_elements(system, elements):
    """Elements that are not among ``elements`` replaced one to one as far as possible, so that symmetry is kept."""
    spare = [z for z in elements if z not in system.numbers.tolist()] or list(elements)
    unknown = [z for z in dict.fromkeys(system.numbers.tolist()) if z not in elements]
    numbers = system.numbers.clone()
    for k, z in enumerate(unknown):
        numbers[system.numbers == z] = spare[k % len(spare)]
    return system._replace(numbers=numbers)


def rotation(seed=3):
    """A random proper rotation (3, 3)."""
    q = torch.linalg.qr(random_numbers(seed, 3, 3))[0]
    return q * torch.linalg.det(q)


# ---------------------------------------------------------------- potentials


def make_potential(representation, elements=ELEMENTS, seed=0):
    """A float64 potential with random weights, in evaluation mode."""
    config = parse_potential_config({"elements": list(elements), "representation": dict(representation)})
    return build_potential(config, seed).double().eval()


def lists_for(potential, system, extra=0.0):
    """One neighbour list for each request, ``extra`` (A) longer than asked for."""
    return [neighbour_list(system, cutoff + extra) for cutoff in potential.requests()]


def edges_for(potential, system, extra=0.0):
    return [edge_vectors(system, one) for one in lists_for(potential, system, extra)]


def evaluate(potential, system, extra=0.0):
    return potential(system, lists_for(potential, system, extra))


def features_of(potential, system):
    """What the representation hands out, without gradients."""
    with torch.no_grad():
        initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch)
        return potential.representation(initial, edges_for(potential, system))


def interaction_energy(potential, system):
    """Energies (S,) without the element references, whose size would cost digits in differences."""
    references = potential.reference.energies[system.numbers]
    energies = evaluate(potential, system).atomic_energy - references
    return torch.zeros(system.cell.shape[0], dtype=torch.float64).index_add(0, system.batch, energies)
