"""Structures on which an exported program must agree with its eager twin before it is published."""

import torch

from sakeff.types import System, single_system

SPACING = 1.7  # A
GRID = (2, 2, 3)


def probe_systems(elements: list[int], periodic: bool) -> list[System]:
    """Shaken lattices of all elements in turn: one open, one in a triclinic cell if ``periodic``, one single atom."""
    generator = torch.Generator().manual_seed(7)
    grid = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64) for n in GRID])
    positions = SPACING * grid + 0.2 * (torch.rand(grid.shape, generator=generator, dtype=torch.float64) - 0.5)
    numbers = torch.tensor([elements[i % len(elements)] for i in range(grid.shape[0])])
    systems = [single_system(numbers, positions), single_system(numbers[:1], positions[:1])]
    if periodic:
        tilt = torch.tensor([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0], [-0.3, 0.2, 0.0]], dtype=torch.float64)
        cell = torch.diag(SPACING * torch.tensor(GRID, dtype=torch.float64)) + tilt
        systems.append(single_system(numbers, positions, cell, torch.ones(3, dtype=torch.bool)))
    return systems
