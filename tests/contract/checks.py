"""What is demanded of every potential, as functions that contract tests and tests of literal variants share.

Each takes a potential in float64 and raises AssertionError.
"""

import torch

from tests.helpers import (
    at_many,
    evaluate,
    interaction_energy,
    moved,
    permuted,
    random_numbers,
    transformed,
)

JUMP = 1e-5  # of the slope, e.g. eV/A^2; what smooth functions leave in the finest window is ten times less
WORK = 1e-7  # eV, between an energy difference and the integral of the force
FINEST = 1e-7  # A, spacing at which a search for jumps ends; rounding would drown them further down
GREATEST_CURVATURE = 10.0  # eV/A^2, of an atom that leaves


# ---------------------------------------------------------------- scans


class Scan:
    """One atom of a structure displaced by s along a direction, for many s (P,) at once."""

    def __init__(self, potential, system, atom, direction, extra=0.0):
        self.potential, self.system, self.atom, self.extra = potential, system, atom, extra
        self.direction = torch.as_tensor(direction, dtype=torch.float64)

    def batch(self, steps):
        positions = self.system.positions.repeat(len(steps), 1, 1)
        positions[:, self.atom] += steps.unsqueeze(1) * self.direction
        return at_many(self.system, positions)

    def energies(self, steps):
        """(P,) to (P, 1)."""
        return interaction_energy(self.potential, self.batch(steps)).unsqueeze(1)

    def forces(self, steps):
        """(P,) to (P, 3N): autograd forces on all atoms."""
        return evaluate(self.potential, self.batch(steps), self.extra).forces.reshape(len(steps), -1)

    def force_along(self, steps):
        """(P,) to (P, 1): minus the derivative of the energy along the scan."""
        forces = self.forces(steps).reshape(len(steps), -1, 3)
        return (forces[:, self.atom] @ self.direction).unsqueeze(1)


def uniform(low, high, points):
    return torch.linspace(low, high, points, dtype=torch.float64)


def largest_jump(function, low, high, points=241):
    """The largest jump of the slope of ``function`` ((P,) -> (P, C)) on [low, high], and where it is.

    A jump stands out of the differences of neighbouring slopes as a spike, between a quarter and all of its size. The
    window around the highest spike is refined fourfold, again and again: the spike of a smooth function vanishes with
    the third power of the spacing, that of a slope jump stays, that of a jump of the function itself grows.
    """
    grid = uniform(low, high, points)
    while float(grid[1] - grid[0]) > FINEST:
        slopes = function(grid).diff(dim=0) / grid.diff().unsqueeze(1)
        steps = slopes.diff(dim=0)
        spikes = (steps[1:-1] - 0.5 * (steps[:-2] + steps[2:])).abs().amax(dim=1)
        k = int(spikes.nan_to_num(nan=float("inf")).argmax())
        found, where = float(spikes[k]), float(grid[k + 2])
        grid = uniform(float(grid[k]), float(grid[k + 4]), 17)
    return found, where


def assert_smooth_slope(function, low, high):
    """No jump in value or slope of ``function``."""
    jump, where = largest_jump(function, low, high)
    assert jump < JUMP, f"the slope jumps by {jump:.2e} at {where:.6f}"


def assert_energy_is_work(scan, low, high, pieces=150):
    """Differences of the energy are integrals of the force (Simpson), so the energy has no jump."""
    steps = uniform(low, high, 2 * pieces + 1)
    energy, force = scan.energies(steps), scan.force_along(steps)
    work = (force[:-2:2] + 4 * force[1:-1:2] + force[2::2]) * (high - low) / (6 * pieces)
    error = (energy[2::2] - energy[:-2:2] + work).abs().max()
    assert error < WORK, f"energy and work differ by {error:.2e} eV"


def assert_smooth_scan(scan, low, high):
    """No jump in energy, force or curvature."""
    assert_smooth_slope(scan.forces, low, high)
    assert_energy_is_work(scan, low, high)


def assert_gentle_exit(scan, low, high):
    """No jump, and no curvature above 10 eV/A^2 either: a jump that is only steep does not pass."""
    assert_smooth_scan(scan, low, high)
    steps = uniform(low, high, 401)
    curvature = (scan.forces(steps).diff(dim=0) / steps.diff().unsqueeze(1)).abs().max()
    assert curvature < GREATEST_CURVATURE, f"the curvature reaches {curvature:.1f} eV/A^2"


# ---------------------------------------------------------------- derivatives

STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))  # central difference of fourth order


def difference_quotient(function, step):
    """d function(s)/ds at 0."""
    return sum(weight * function(k * step) for k, weight in STENCIL) / step


def assert_close(found, expected, relative, scale=None):
    """Largest difference below ``relative`` times the largest expected number."""
    scale = expected.abs().max() if scale is None else scale
    error = (found - expected).abs().max()
    assert error <= relative * scale, f"differ by {error:.2e}, allowed {relative * scale:.2e}"


def numerical_forces(potential, system, directions, step):
    """Minus the derivatives (P,) along displacements ``directions`` (P, N, 3), from energies alone."""

    def energies(s):
        return interaction_energy(potential, at_many(system, system.positions + s * directions))

    return -difference_quotient(energies, step)


def numerical_stress(potential, system, step):
    """(3, 3) = dE/dstrain / V, symmetric strains."""
    stress = torch.zeros(3, 3, dtype=torch.float64)
    for a in range(3):
        for b in range(3):
            strain = torch.zeros(3, 3, dtype=torch.float64)
            strain[a, b] += 0.5
            strain[b, a] += 0.5

            def energy(s, strain=strain):
                deformation = torch.eye(3, dtype=torch.float64) + s * strain
                return interaction_energy(potential, transformed(system, deformation))

            stress[a, b] = difference_quotient(energy, step)
    return stress / torch.linalg.det(system.cell[0]).abs()


# ---------------------------------------------------------------- symmetries


def assert_equivariant(potential, system, matrix, tolerance=1e-10):
    """Energy unchanged and forces turned by an orthogonal ``matrix``."""
    before, after = evaluate(potential, system), evaluate(potential, transformed(system, matrix))
    assert_close(after.atomic_energy, before.atomic_energy, tolerance)
    assert_close(after.forces, before.forces @ matrix.T, tolerance)


def assert_translation_invariant(potential, system, tolerance=1e-10):
    before = evaluate(potential, system)
    after = evaluate(potential, moved(system, system.positions + random_numbers(5, 1, 3)))
    assert_close(after.atomic_energy, before.atomic_energy, tolerance)
    assert_close(after.forces, before.forces, tolerance)


def assert_permutation_equivariant(potential, system, tolerance=1e-10):
    order = torch.randperm(len(system.numbers), generator=torch.Generator().manual_seed(6))
    before, after = evaluate(potential, system), evaluate(potential, permuted(system, order))
    assert_close(after.atomic_energy, before.atomic_energy[order], tolerance)
    assert_close(after.forces, before.forces[order], tolerance)


def assert_forces_obey(potential, system, operations, tolerance=1e-9):
    """Finite forces, unchanged by operations (matrix, order of atoms) that leave the structure unchanged."""
    forces = evaluate(potential, system).forces
    assert forces.isfinite().all(), "forces are not finite"
    for matrix, order in operations:
        image = system.positions @ matrix.T
        assert torch.allclose(image, system.positions[order], atol=1e-12), "not a symmetry of the structure"
        error = (forces @ matrix.T - forces[order]).abs().max()
        assert error <= tolerance, f"forces break the symmetry by {error:.2e} eV/A"
