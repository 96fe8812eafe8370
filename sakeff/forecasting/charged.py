"""The charged N-body system: its dynamics, vectorised over systems. Lengths, times, masses and charges are unit-free.

Particles of unit mass repel or attract each other by ``F_i = k sum_j q_i q_j (x_i - x_j) / |x_i - x_j|^3``. Each
component of the total force on a particle is clipped to +-0.1 / dt. The integrator is the leapfrog of the public data
set (Kipf et al. 2018; Satorras et al. 2021), step t = 1, 2, ...:

    v_t = v_(t-1) + dt clip(F(x_(t-1))),   x_t = x_(t-1) + dt v_t

The velocities stored with positions x_t are v_t, those of half a step earlier; `synchronised` moves them. There is no
box: the public code draws one, but leaves its walls out of the dynamics. Stored frame k is step 100 (k + 1), so that
5,000 steps give 49 frames, and input frame 30 is step 3,100.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple, Tuple

import numpy as np

from sakeff.errors import ConfigError

CHUNK = 250  # systems simulated at once: their pairs fit into the cache


class Protocol(NamedTuple):
    """What defines a data set; the defaults are the published ones."""

    particles: int = 5
    spread: float = 1.0  # standard deviation of initial positions
    speed: float = 0.5  # initial speed of every particle
    strength: float = 1.0  # k of the interaction
    timestep: float = 0.001
    steps: int = 5000
    every: int = 100  # steps between stored frames

    @property
    def frames(self) -> int:
        """Number of stored frames: the state after the last step is not reached."""
        return (self.steps - 1) // self.every

    @property
    def largest_force(self) -> float:
        """Limit of every component of a force."""
        return 0.1 / self.timestep


class State(NamedTuple):
    """Some systems at one time. M systems of n particles."""

    charges: np.ndarray  # (M, n), +-1
    positions: np.ndarray  # (M, n, 3)
    velocities: np.ndarray  # (M, n, 3)


class Trajectories(NamedTuple):
    """M systems of n particles at T stored frames."""

    charges: np.ndarray  # (M, n), +-1
    positions: np.ndarray  # (M, T, n, 3)
    velocities: np.ndarray  # (M, T, n, 3), of half a step before the positions
    clipped: np.ndarray  # (M, T) bool: a force was clipped since the frame before


def draw(rng: np.random.Generator, systems: int, protocol: Protocol) -> State:
    """Random charges +-1, normal positions, and velocities of one speed in random directions."""
    shape = (systems, protocol.particles, 3)
    charges = rng.choice([-1.0, 1.0], size=shape[:2])
    positions = protocol.spread * rng.normal(size=shape)
    direction = rng.normal(size=shape)
    velocities = protocol.speed * direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return State(charges, positions, velocities)


def simulate(start: State, protocol: Protocol) -> Trajectories:
    """Stored frames of all systems. Raises `ConfigError` if the protocol stores none."""
    if protocol.frames < 1:
        raise ConfigError(f"{protocol.steps} steps stored every {protocol.every} give no frame; ask for more steps.")
    systems = len(start.charges)
    parts = [
        _simulate_chunk(State(*[array[k : k + CHUNK] for array in start]), protocol) for k in range(0, systems, CHUNK)
    ]
    return Trajectories(*[np.concatenate(arrays) for arrays in zip(*parts, strict=True)])


def forces(charges: np.ndarray, positions: np.ndarray, strength: float) -> np.ndarray:
    """Coulomb forces (M, n, 3), not clipped."""
    pairs, strengths = _pairs(charges, strength)
    return _to_public(_forces(_to_columns(positions), pairs, strengths))


def synchronised(state: State, protocol: Protocol) -> np.ndarray:
    """Velocities (M, n, 3) at the time of the positions: half a kick later than the stored ones."""
    force = forces(state.charges, state.positions, protocol.strength)
    limit = protocol.largest_force
    return state.velocities + 0.5 * protocol.timestep * force.clip(-limit, limit)


def reverse(trajectories: Trajectories, protocol: Protocol) -> Trajectories:
    """The same trajectories run backwards: exactly what the integrator gives from the last positions.

    Leapfrog is reversible, clipped forces included. Velocities are of half a step before the positions also in reversed
    time, so each frame gets the kick that follows it before its velocities change sign.
    """
    frames = trajectories.positions.shape[:2]
    charges = np.repeat(trajectories.charges, frames[1], axis=0)
    flat = trajectories.positions.reshape(len(charges), -1, 3).astype(np.float64)
    limit = protocol.largest_force
    kick = protocol.timestep * forces(charges, flat, protocol.strength).clip(-limit, limit)
    velocities = -(trajectories.velocities + kick.reshape(trajectories.velocities.shape))
    return Trajectories(
        trajectories.charges,
        trajectories.positions[:, ::-1],
        velocities[:, ::-1].astype(trajectories.velocities.dtype),
        np.concatenate([np.zeros_like(trajectories.clipped[:, :1]), trajectories.clipped[:, :0:-1]], axis=1),
    )


def energy(state: State, strength: float) -> np.ndarray:
    """``sum v^2 / 2 + k sum over pairs of q_i q_j / r_ij``, (M,). Conserved where no force is clipped."""
    pairs, strengths = _pairs(state.charges, strength)
    distance = np.sqrt((np.matmul(pairs, _to_columns(state.positions)) ** 2).sum(0))
    return 0.5 * (state.velocities**2).sum((1, 2)) + (strengths / distance).sum(0)


def _simulate_chunk(start: State, protocol: Protocol) -> Trajectories:
    pairs, strengths = _pairs(start.charges, protocol.strength)
    x, v = _to_columns(start.positions), _to_columns(start.velocities)
    limit, step = protocol.largest_force, protocol.timestep
    shape = (len(start.charges), protocol.frames, protocol.particles, 3)
    positions, velocities, clipped = np.empty(shape), np.empty(shape), np.zeros(shape[:2], bool)
    for frame in range(protocol.frames):
        for _ in range(protocol.every):
            force = _forces(x, pairs, strengths)
            clipped[:, frame] |= (np.abs(force) > limit).any((0, 1))
            v = v + step * force.clip(-limit, limit)
            x = x + step * v
        positions[:, frame], velocities[:, frame] = _to_public(x), _to_public(v)
    return Trajectories(start.charges, positions, velocities, clipped)


def _forces(x: np.ndarray, pairs: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """(3, n, M) to (3, n, M): the incidence matrix makes differences of positions and sums of pair forces."""
    difference = np.matmul(pairs, x)
    square = (difference * difference).sum(0)
    return np.matmul(pairs.T, difference * (strengths / (square * np.sqrt(square))))


def _pairs(charges: np.ndarray, strength: float) -> Tuple[np.ndarray, np.ndarray]:
    """Signed incidence matrix (pairs, n) with rows x_i - x_j, and k q_i q_j of each pair (pairs, M)."""
    n = charges.shape[1]
    first, second = np.array(list(combinations(range(n), 2))).T
    incidence = np.eye(n)[first] - np.eye(n)[second]
    return incidence, strength * (charges[:, first] * charges[:, second]).T


def _to_columns(array: np.ndarray) -> np.ndarray:
    """(M, n, 3) to (3, n, M): systems last, so that every operation runs along them."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def _to_public(array: np.ndarray) -> np.ndarray:
    return array.transpose(2, 1, 0)
