"""Invariant-feature attention transcribed from the paper, atom by atom: eqs. 1-12, nothing shared with the package.

Weights come from a ``state_dict``. Every piece is the printed one: softmax over the neighbourhood, LayerNorm, ReLU,
raw vectors. Those of the package are the edge features (Gaussians of the distance), the cosine envelope of the
exponentials, and that the outcome is added to the features.
"""

import itertools

import numpy as np
import torch


class DenseInvariantAttention:
    """Scalars s (N, F) and vectors h (N, T, 3) of every atom, layer by layer."""

    def __init__(self, weights, group, layers, heads, cutoff, basis_size):
        self.weights, self.group, self.layers, self.heads, self.cutoff = weights, group, layers, heads, cutoff
        self.centres = torch.linspace(0.0, cutoff, basis_size).double().numpy()  # float32, as rounded in the model
        self.spacing = cutoff / (basis_size - 1)

    def __call__(self, s, h, x):
        for k in range(self.layers):
            s, h = self.layer(f"layers.{k}", s, h, x)
        return s, h

    def layer(self, name, s, h, x):
        new_s, new_h = s.copy(), h.copy()
        for i in range(len(x)):
            others = [j for j in range(len(x)) if j != i and np.linalg.norm(x[i] - x[j]) < self.cutoff]
            query = self.phi(f"{name}.query", h[i], s[i])  # eq. 1
            seen = {j: self.seen(s[j], h[j], x[i] - x[j]) for j in others}
            key = {j: self.phi(f"{name}.key", *seen[j]) for j in others}  # eq. 2
            value = {j: self.phi(f"{name}.value", *seen[j]) for j in others}  # eq. 3
            envelope = {j: 0.5 * (np.cos(np.pi * np.linalg.norm(x[i] - x[j]) / self.cutoff) + 1) for j in others}
            for a in range(self.heads):
                q = self.concatenated(query, a)
                weight = {j: envelope[j] * np.exp(q @ self.concatenated(key[j], a)) for j in others}
                alpha = {j: w / sum(weight.values()) for j, w in weight.items()}  # eq. 11
                of_vectors, of_scalars = self.parts(query, a)
                for j in others:  # eq. 12
                    new_h[i, of_vectors] += alpha[j] * value[j][0][of_vectors]
                    new_s[i, of_scalars] += alpha[j] * value[j][1][of_scalars]
        return new_s, new_h

    def seen(self, s, h, relative):
        """The arguments of keys and values: vectors and scalars."""
        distance = np.linalg.norm(relative)
        edge = np.exp(-0.5 * ((distance - self.centres) / self.spacing) ** 2)
        return np.vstack([h, relative]), np.concatenate([s, edge])

    def phi(self, name, v, s):
        """Eqs. 4-8: T' vectors and L' scalars."""
        numbers = range(len(v))
        invariants = [v[a] @ v[b] for a, b in itertools.combinations_with_replacement(numbers, 2)]
        combined = list(v)
        if self.group == "SE(3)":
            invariants += [np.linalg.det(v[list(triple)]) for triple in itertools.combinations(numbers, 3)]
            combined += [np.cross(v[a], v[b]) for a, b in itertools.combinations(numbers, 2)]
        f = self.g(name, np.concatenate([invariants, s]))
        width = len(self.weights["layers.0.query.network.1.weight"])  # hidden units: as many as scalars
        return f[width:].reshape(-1, len(combined)) @ np.array(combined), f[:width]

    def g(self, name, x):
        """Linear, LayerNorm, ReLU, linear."""
        w = {key.removeprefix(f"{name}.network."): value for key, value in self.weights.items()}
        x = w["0.weight"] @ x + w["0.bias"]
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w["1.weight"] + w["1.bias"]
        return w["3.weight"] @ np.maximum(x, 0.0) + w["3.bias"]

    def parts(self, features, head):
        """The share of a head in vectors and in scalars."""
        n, m = len(features[0]) // self.heads, len(features[1]) // self.heads
        return slice(head * n, (head + 1) * n), slice(head * m, (head + 1) * m)

    def concatenated(self, features, head):
        """Eqs. 9-10."""
        of_vectors, of_scalars = self.parts(features, head)
        return np.concatenate([features[0][of_vectors].ravel(), features[1][of_scalars]])
