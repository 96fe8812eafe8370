"""Structures on which all lists must agree, and an independent brute-force list."""

import itertools
import math

import numpy as np
import torch

from sakeff.types import single_system
from tests.helpers import random_numbers, structure, tensor

SHEARED = [[4.0, 0.0, 0.0], [21.0, 5.0, 0.0], [-13.0, 17.0, 6.0]]  # an unreduced cell: rows far from orthogonal
TRICLINIC = [[6.0, 0.3, -0.2], [1.5, 5.5, 0.4], [-1.0, 2.0, 6.5]]


def random_structure(seed, count, cell, pbc, spread=1.0, offset=0.0):
    """Atoms strewn uniformly over ``spread`` cells, or over that many angstrom where the direction is open."""
    generator = torch.Generator().manual_seed(seed)
    fractional = torch.rand(count, 3, generator=generator, dtype=torch.float64) * spread + offset
    rows = [cell[k] if pbc[k] else [8.0 * (k == m) for m in range(3)] for k in range(3)]
    return structure([6] * count, fractional @ tensor(rows), cell, list(pbc))


def scattered_dimers(seed, count):
    """Pairs 1.7 A apart, strewn over a tenth of a millimetre: almost all space is empty."""
    positions = 1e6 * random_numbers(seed, count, 3)
    return structure([6] * 2 * count, torch.cat([positions, positions + 1.0]))


NO_CELL = [[0.0] * 3] * 3
YES, NO = True, False
CASES = {
    "molecule": (random_structure(1, 12, NO_CELL, (NO, NO, NO)), 4.0),
    "molecule with a cell that does not count": (random_structure(2, 12, TRICLINIC, (NO, NO, NO)), 4.0),
    "large open": (random_structure(3, 500, NO_CELL, (NO, NO, NO), spread=3.0), 3.0),
    "far and empty between": (scattered_dimers(4, 15), 3.0),
    "cubic": (random_structure(5, 40, (12.0 * torch.eye(3)).tolist(), (YES, YES, YES)), 4.0),
    "cutoff over half the box": (random_structure(6, 20, (6.0 * torch.eye(3)).tolist(), (YES, YES, YES)), 4.0),
    "cutoff over the box": (random_structure(7, 6, (4.0 * torch.eye(3)).tolist(), (YES, YES, YES)), 9.5),
    "own images only": (structure([6], [[0.3, 0.2, 9.0]], TRICLINIC, [YES, YES, YES]), 9.0),
    "triclinic": (random_structure(8, 30, TRICLINIC, (YES, YES, YES)), 5.0),
    "left-handed": (random_structure(9, 20, TRICLINIC[::-1], (YES, YES, YES)), 5.0),
    "unreduced": (random_structure(10, 15, SHEARED, (YES, YES, YES)), 5.5),
    "slab, third row zero": (random_structure(11, 25, [*TRICLINIC[:2], [0.0] * 3], (YES, YES, NO)), 5.0),
    "slab, open row parallel": (random_structure(12, 25, [*TRICLINIC[:2], TRICLINIC[0]], (YES, YES, NO)), 5.0),
    "slab, middle open": (random_structure(13, 25, SHEARED, (YES, NO, YES)), 5.0),
    "wire": (random_structure(14, 15, [[0.0] * 3, TRICLINIC[1], [9.0] * 3], (NO, YES, NO)), 6.0),
    "far outside": (random_structure(15, 20, TRICLINIC, (YES, YES, YES), spread=40.0, offset=-25.0), 5.0),
    "all negative": (random_structure(16, 20, TRICLINIC, (YES, YES, NO), offset=-1.0), 5.0),
    "same place": (structure([1, 1, 1], [[1.0] * 3, [1.0] * 3, [2.0] * 3], TRICLINIC, [YES, YES, YES]), 3.0),
    "same place, open": (structure([1, 1, 1], [[1.0] * 3, [1.0] * 3, [2.0] * 3]), 3.0),
    "one atom": (structure([1], [[1.0] * 3]), 3.0),
    "one atom, too lonely for its images": (structure([1], [[1.0] * 3], TRICLINIC, [YES, YES, YES]), 3.0),
    "none": (single_system(torch.empty(0), torch.empty((0, 3), dtype=torch.float64)), 3.0),
    "none, periodic": (structure([], torch.empty((0, 3)), TRICLINIC, [YES, YES, YES]), 3.0),
    "simple cubic, cutoff on a shell": (
        structure(
            [6] * 27,
            0.7 * torch.cartesian_prod(*[torch.arange(3, dtype=torch.float64)] * 3) + 0.1,
            (2.1 * torch.eye(3)).tolist(),
            [YES, YES, YES],
        ),
        0.7,
    ),
}


def rows_of(neighbours):
    """(E, 5) centre, other, shift."""
    return torch.cat([neighbours.centre[:, None], neighbours.other[:, None], neighbours.shift], dim=1)


def vectors_of(system, neighbours):
    """Edge vectors from their definition."""
    cell = system.cell[system.batch[neighbours.centre]]
    offset = torch.einsum("ek,ekx->ex", neighbours.shift.to(cell.dtype), cell)
    return system.positions[neighbours.other] + offset - system.positions[neighbours.centre]


def assert_same(one, two):
    """Equal edges in equal order with equal opposites."""
    assert torch.equal(rows_of(one), rows_of(two))
    assert torch.equal(one.reverse, two.reverse)


def assert_contract(neighbours):
    """Sorted without repetition, int64, and each opposite edge is where ``reverse`` says."""
    rows = rows_of(neighbours)
    assert all(field.dtype == torch.int64 for field in neighbours[:4])
    listed = [tuple(row) for row in rows.tolist()]
    assert listed == sorted(set(listed))
    opposite = rows[neighbours.reverse]
    assert torch.equal(opposite[:, 0], rows[:, 1])
    assert torch.equal(opposite[:, 1], rows[:, 0])
    assert torch.equal(opposite[:, 2:], -rows[:, 2:])


def brute_force(system, cutoff):
    """Sorted rows (centre, other, shift) of one structure, from a loop over every image that could matter."""
    positions, pbc = system.positions.double().numpy(), system.pbc[0].numpy()
    cell = np.where(pbc[:, None], system.cell[0].double().numpy(), 0.0)
    dual = np.linalg.pinv(cell)  # columns of open directions are zero
    rows = []
    for i, j in itertools.product(range(len(positions)), repeat=2):
        apart = positions[j] - positions[i]
        ranges = []
        for k in range(3):
            # The component along the normal of the planes is at least this long for every lattice vector.
            reach, middle = cutoff * np.linalg.norm(dual[:, k]), apart @ dual[:, k]
            ranges.append(range(math.floor(-reach - middle), math.ceil(reach - middle) + 1) if pbc[k] else [0])
        for shift in itertools.product(*ranges):
            distance = np.linalg.norm(apart + np.array(shift) @ cell)
            if distance <= cutoff and (i != j or any(shift)):
                rows.append((i, j, *shift))
    return sorted(rows)


def jumps(seed, system, size=3):
    """Random whole numbers of cells for each atom, zero along open directions."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randint(-size, size + 1, (system.batch.shape[0], 3), generator=generator)
    return cells * system.pbc[system.batch]


def jumped(system, cells):
    """The same atoms, each moved by whole cells."""
    offset = torch.einsum("nk,nkx->nx", cells.to(system.cell.dtype), system.cell[system.batch])
    return system._replace(positions=system.positions + offset)


def shaken(seed, system, size):
    """Each atom moved by ``size`` (A) in a random direction."""
    step = random_numbers(seed, *system.positions.shape)
    return system._replace(positions=system.positions + size * step / step.norm(dim=1, keepdim=True))
