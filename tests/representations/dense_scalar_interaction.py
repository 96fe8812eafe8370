"""SINet and SiFormer transcribed atom by atom, degree by degree: sections 3.3 and 5, nothing shared with the package.

A feature is a pair (scalars, {l: fragments (C, 2l+1)}). Weights come from a ``state_dict``, harmonics from e3nn. Every
piece is the literal one: cosine cutoff, softmax under the envelope; saturated fragments are a choice.
"""

import math

import numpy as np
import torch
from e3nn import o3


def silu(x):
    return x / (1.0 + np.exp(-x))


def harmonics(l, vector):
    """Normalised to length one, orders m = -l..l with the polar axis z (e3nn's is y)."""
    unit = torch.from_numpy(vector / np.linalg.norm(vector))[[1, 2, 0]]
    return o3.spherical_harmonics(l, unit, normalize=False, normalization="norm").numpy()


class DenseScalarInteraction:
    """Scalars and fragments of every atom after all layers; ``heads`` None is SINet."""

    def __init__(
        self, weights, layers, l_max, channels, cutoff, basis_size, mean_neighbours, heads=None, saturated=False
    ):
        self.weights, self.layers, self.channels, self.heads = weights, layers, channels, heads
        self.degrees, self.cutoff, self.mean_neighbours = list(range(1, l_max + 1)), cutoff, mean_neighbours
        self.centres = torch.linspace(0.0, cutoff, basis_size).double().numpy()  # float32, as rounded in the model
        self.spacing = cutoff / (basis_size - 1)
        self.saturated = saturated

    def __call__(self, scalars, velocities, positions):
        self.r = positions[None] - positions[:, None]  # r_ij = r_j - r_i
        self.d = np.linalg.norm(self.r, axis=-1)
        n = range(len(scalars))
        self.near = [[j for j in n if j != i and self.d[i, j] < self.cutoff] for i in n]
        scalars = [self.normalised(s) for s in scalars]
        atoms = [(scalars[i], self.embedding(i, scalars, velocities[i])) for i in n]
        for k in range(self.layers):
            atoms = [self.layer(f"layers.{k}", atoms, i) for i in n]
        return atoms

    # ------------------------------------------------------------ geometry

    def phi(self, i, j):
        return 0.5 * (math.cos(math.pi * self.d[i, j] / self.cutoff) + 1.0)

    def basis(self, i, j):
        return np.exp(-0.5 * ((self.d[i, j] - self.centres) / self.spacing) ** 2)

    # ------------------------------------------------------------ embedding

    def normalised(self, s):
        unit = (s - s.mean()) / np.sqrt(s.var() + 1e-5)
        return self.weights["normalisation.weight"] * unit + self.weights["normalisation.bias"]

    def embedding(self, i, scalars, velocity):
        """Section 5: products of scalars with harmonics, and of scalars with the velocity."""
        fragments = {l: np.zeros((self.channels, 2 * l + 1)) for l in self.degrees}
        for j in self.near[i]:
            hidden = self.pair("embedding.from_atoms", scalars[i], scalars[j])
            hidden = hidden + self.linear("embedding.from_basis", self.basis(i, j))
            w = self.linear("embedding.output.1", silu(hidden)).reshape(-1, self.channels)
            for l in self.degrees:
                scale = self.phi(i, j) / math.sqrt(self.mean_neighbours)
                fragments[l] += scale * np.outer(w[l - 1], harmonics(l, self.r[i, j]))
        fragments[1] += np.outer(self.linear("velocity.output", scalars[i]), velocity[[1, 2, 0]])
        return fragments

    # ------------------------------------------------------------ layers

    def layer(self, name, atoms, i):
        messages = {j: self.message(f"{name}.message", atoms[i], atoms[j], i, j) for j in self.near[i]}
        weights = {j: self.phi(i, j) * self.score(name, messages[j][0]) for j in self.near[i]}
        total = sum(weights.values()) if self.heads else math.sqrt(self.mean_neighbours)
        received = self.weighted_sum(messages, {j: w / total for j, w in weights.items()})
        s, x = atoms[i]
        change = self.update(f"{name}.update", atoms[i], received)
        return s + change[0], {l: x[l] + change[1][l] for l in self.degrees}

    def score(self, name, scalars):
        """One weight for each head, before the envelope."""
        return np.exp(self.linear(f"{name}.weights.score.1", silu(scalars))) if self.heads else np.ones(1)

    def weighted_sum(self, messages, weights):
        n = len(next(iter(weights.values())))
        scalars, fragments = 0.0, dict.fromkeys(self.degrees, 0.0)
        for j, (s, x) in messages.items():
            scalars = scalars + np.repeat(weights[j], len(s) // n) * s
            for l in self.degrees:
                fragments[l] = fragments[l] + np.repeat(weights[j], self.channels // n)[:, None] * x[l]
        return scalars, fragments

    def message(self, name, centre, other, i, j):
        first, second = self.mix(f"{name}.centre", centre[1]), self.mix(f"{name}.other", other[1])
        x = {l: first[l] + second[l] for l in self.degrees}
        y = {l: harmonics(l, self.r[i, j])[None] for l in self.degrees}
        context = self.pair(f"{name}.from_atoms", centre[0], other[0])
        context = context + self.linear(f"{name}.from_basis", self.basis(i, j))
        return self.interaction(f"{name}.interaction", x, y, context)

    def update(self, name, atom, received):
        x, y = self.mix(f"{name}.own", atom[1]), self.mix(f"{name}.received", received[1])
        context = self.linear(f"{name}.from_own", atom[0]) + self.linear(f"{name}.from_received", received[0])
        return self.interaction(f"{name}.interaction", x, y, context)

    # ------------------------------------------------------------ the operation

    def interaction(self, name, x, y, context):
        """Section 3.3: inner products, coefficients, linear combination."""
        if self.saturated:
            x, y = ({l: v[l] / np.sqrt(1.0 + (v[l] ** 2).sum(axis=1))[:, None] for l in self.degrees} for v in (x, y))
        pairs = [(x, y), (x, x), (y, y)]
        products = np.concatenate([(a[l] * b[l]).sum(axis=1) for a, b in pairs for l in self.degrees])
        hidden = silu(context + self.linear(f"{name}.from_products", products))
        hidden = silu(self.linear(f"{name}.output.1", hidden))
        output = self.linear(f"{name}.output.3", hidden)
        width = len(hidden)
        a, b = output[width:].reshape(2, len(self.degrees), self.channels, 1)
        return output[:width], {l: a[l - 1] * x[l] + b[l - 1] * y[l] for l in self.degrees}

    def mix(self, name, fragments):
        return {l: self.weights[f"{name}.weight"][l - 1].T @ fragments[l] for l in self.degrees}

    def linear(self, name, x):
        return self.weights[f"{name}.weight"] @ x + self.weights.get(f"{name}.bias", 0.0)

    def pair(self, name, centre, other):
        return self.linear(f"{name}.centre", centre) + self.linear(f"{name}.other", other)
