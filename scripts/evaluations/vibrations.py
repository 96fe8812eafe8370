"""Harmonic frequencies from finite differences of forces, the same for a model and for its reference."""

import numpy as np
from ase import Atoms, units
from scipy.linalg import null_space

STEP = 0.005  # A
ROUNDING = 1e-8  # of singular values: the rotation about the axis of a linear molecule moves nothing
# Square root of an eigenvalue in eV/A^2/u, to a wave number in 1/cm.
INVERSE_CM = units._hbar * units.m / np.sqrt(units._e * units._amu) / units.invcm


def frequencies(atoms: Atoms, step: float = STEP) -> np.ndarray:
    """Wave numbers (K,) in 1/cm, ascending, of the vibrations of an open structure at a minimum.

    ``nu = sqrt(lambda) / (2 pi c)`` with the eigenvalues lambda of the mass-weighted Hessian in the space of the
    3N - 6 vibrations (3N - 5 if linear). A negative lambda (no minimum) gives a negative wave number.
    """
    weight = np.repeat(atoms.get_masses() ** -0.5, 3)
    modes = vibrations(atoms)
    eigenvalues = np.linalg.eigvalsh(modes.T @ (weight[:, None] * hessian(atoms, step) * weight) @ modes)
    return np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * INVERSE_CM


def hessian(atoms: Atoms, step: float = STEP) -> np.ndarray:
    """Second derivatives (3N, 3N) in eV/A^2: central differences of the forces, made symmetric."""
    displaced = atoms.copy()
    displaced.calc = atoms.calc
    rows = [_difference(displaced, atoms.positions, index, step) for index in np.ndindex(atoms.positions.shape)]
    return 0.5 * (np.array(rows) + np.array(rows).T)


def _difference(atoms: Atoms, start: np.ndarray, index: tuple[int, ...], step: float) -> np.ndarray:
    forces = []
    for sign in (1.0, -1.0):
        positions = start.copy()
        positions[index] += sign * step
        atoms.positions = positions
        forces.append(atoms.get_forces().ravel())
    return (forces[1] - forces[0]) / (2.0 * step)


def vibrations(atoms: Atoms) -> np.ndarray:
    """Orthonormal basis (3N, K), in mass-weighted coordinates, of what is neither translation nor rotation."""
    roots = np.sqrt(atoms.get_masses())[:, None]
    arms = atoms.positions - atoms.get_center_of_mass()
    axes = np.eye(3)
    rigid = [np.broadcast_to(axis, arms.shape) for axis in axes] + [np.cross(axis, arms) for axis in axes]
    return null_space(np.array([(roots * motion).ravel() for motion in rigid]), rcond=ROUNDING)
