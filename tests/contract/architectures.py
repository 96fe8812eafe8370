"""The potentials that every contract applies to: one line for each architecture, and every bundled model.

An architecture names the contracts that do not apply to it and thereby documents them:
``extensivity`` (separated molecules add up), ``cutoff`` (nothing beyond the cutoff matters), ``periodic`` (cells).
"""

import math
from typing import NamedTuple

import torch

from sakeff.fast.accelerate import accelerate, fast_form
from sakeff.potential import Potential
from sakeff.zoo import list_models, load_potential
from tests.helpers import ethanol, evaluate, make_potential

EVERYTHING_APPLIES = frozenset()
NONLOCAL = frozenset({"extensivity", "cutoff", "periodic"})


class Architecture(NamedTuple):
    """A small configuration and the contracts that do not apply to it."""

    representation: dict
    does_not_apply: frozenset = EVERYTHING_APPLIES


SAKE = {"name": "sake", "width": 16, "layers": 3, "coefficients": 12, "heads": 2, "basis_size": 20}
SO3KRATES = {"name": "so3krates", "width": 24, "layers": 3, "basis_size": 16}
INVARIANT_ATTENTION = {
    "name": "invariant-attention", "width": 16, "vectors": 4, "layers": 3, "heads": 2, "basis_size": 12
}  # fmt: skip
SINET = {"name": "sinet", "l_max": 3, "width": 16, "channels": 8, "layers": 3, "basis_size": 12}
SIFORMER = {**SINET, "name": "siformer", "heads": 2}

ARCHITECTURES = {
    "sake": Architecture(SAKE),
    "so3krates": Architecture(SO3KRATES),
    "so3krates-so3": Architecture({**SO3KRATES, "layers": 2, "coupling": "all"}),
    "so3krates-nonlocal": Architecture({**SO3KRATES, "layers": 2, "nonlocal_kappa": 1.0}, NONLOCAL),
    "invariant-attention-e3": Architecture(INVARIANT_ATTENTION),
    "invariant-attention-se3": Architecture({**INVARIANT_ATTENTION, "group": "SE(3)"}),
    "sinet": Architecture(SINET),
    "siformer": Architecture(SIFORMER),
}


class Case(NamedTuple):
    """A potential in float64 and what does not apply to it."""

    name: str
    potential: Potential
    does_not_apply: frozenset

    @property
    def elements(self):
        return self.potential.elements.tolist()

    @property
    def cutoff(self):
        return self.potential.requests()[0]


def random_case(name):
    """An architecture with random weights."""
    architecture = ARCHITECTURES[name]
    return Case(name, enlivened(make_potential(architecture.representation)), architecture.does_not_apply)


def trained_case(name):
    """A bundled model."""
    potential = load_potential(name).double().eval()
    is_local = all(math.isfinite(cutoff) for cutoff in potential.requests())
    return Case(name, potential, EVERYTHING_APPLIES if is_local else NONLOCAL)


def fast_case(case, kernels):
    """A case on a fast path."""
    return case._replace(potential=accelerate(case.potential, kernels, torch.float64).potential)


def enlivened(potential, features=2.0, push=2.5, force=2.0):
    """Weights scaled up, so that what is not smooth shows: messages and displacements are large.

    ``push`` scales the weights that move atoms (SAKE eq. 12); other architectures have none. ``force`` (eV/A) is the
    largest one in a shaken ethanol.
    """
    with torch.no_grad():
        potential.embedding.vectors.weight *= features
        for name, weight in potential.named_parameters():
            if name.endswith("update.mixing.weight"):
                weight *= push
    potential.reference.scale *= force / evaluate(potential, ethanol()).forces.norm(dim=1).max()
    return potential


RANDOM = list(ARCHITECTURES)
FAST = ["sake", "so3krates", "so3krates-so3", "so3krates-nonlocal"]  # those with a fast path
TRAINED = list_models()
TRAINED_FAST = [name for name in TRAINED if fast_form(load_potential(name).representation) is not None]
