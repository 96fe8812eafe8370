"""SAKE transcribed from the paper, atom by atom: eqs. 6-13 and Algorithm 1, nothing shared with the package.

Weights come from a ``state_dict``. Every piece is the printed one: cosine cutoff, softmax attention over
the neighbourhood, CeLU, Euclidean norms, unit vectors. Only the two choices between text and algorithm are those
of the package: tanh on lambda, and positions that advance by the new velocity.
"""

import numpy as np
import torch


def linear(weights, name, x):
    bias = weights.get(f"{name}.bias", 0.0)
    return weights[f"{name}.weight"] @ x + bias


def silu(x):
    return x / (1.0 + np.exp(-x))


def celu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1.0)


def two_layers(weights, name, x):
    return linear(weights, f"{name}.2", silu(linear(weights, f"{name}.0", x)))


class DenseSake:
    """Features h, positions x and velocities v of every atom, layer by layer."""

    def __init__(self, weights, layers, heads, cutoff, basis_size):
        self.weights, self.layers, self.heads, self.cutoff = weights, layers, heads, cutoff
        self.centres = torch.linspace(0.0, cutoff, basis_size).double().numpy()  # float32, as rounded in the model
        self.spacing = cutoff / (basis_size - 1)

    def __call__(self, h, positions):
        x, v = positions.copy(), np.zeros_like(positions)
        pairs = self.neighbourhood(positions)
        for k in range(self.layers):
            h, x, v = self.layer(f"layers.{k}", h, x, v, pairs, positions)
        return h, x, v

    def neighbourhood(self, positions):
        n = len(positions)
        distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
        return [[u for u in range(n) if u != i and distance[i, u] < self.cutoff] for i in range(n)]

    def layer(self, name, h, x, v, neighbours, physical):
        new_h, new_x, new_v = np.empty_like(h), np.empty_like(x), np.empty_like(v)
        for i, others in enumerate(neighbours):
            edge = {u: self.edge(name, h[i], h[u], np.linalg.norm(x[u] - x[i])) for u in others}
            alpha = self.attention(name, edge, {u: np.linalg.norm(physical[u] - physical[i]) for u in others})
            weighted = {u: np.concatenate([alpha[u][a] * edge[u] for a in range(self.heads)]) for u in others}
            # Eq. 11; the sums over neighbours that eqs. 6 and 12 share
            lambdas = {
                u: np.tanh(linear(self.weights, f"{name}.combinations.coefficients", weighted[u])) for u in others
            }
            sums = sum(np.outer(lambdas[u], unit(x[u] - x[i])) for u in others)
            spatial = two_layers(self.weights, f"{name}.spatial.network", np.linalg.norm(sums, axis=1))  # eq. 6
            scale = 2.0 / (1.0 + np.exp(-two_layers(self.weights, f"{name}.update.scale", h[i])))
            push = (self.weights[f"{name}.update.mixing.weight"] @ sums)[0]
            new_v[i] = scale * v[i] + push  # eq. 12
            new_x[i] = x[i] + new_v[i]  # Algorithm 1
            joined = np.concatenate([h[i], sum(weighted.values()), spatial])
            new_h[i] = h[i] + two_layers(self.weights, f"{name}.node", joined)  # eq. 4
        return new_h, new_x, new_v

    def edge(self, name, h_centre, h_other, d):
        """Eq. 7 with the first linear map on the concatenation."""
        w = {key.removeprefix(f"{name}.embedding."): value for key, value in self.weights.items()}
        pair = np.concatenate([h_centre, h_other])
        rbf = np.exp(-0.5 * ((d - self.centres) / self.spacing) ** 2)
        f_r = np.hstack([w["filter.centre.weight"], w["filter.other.weight"]]) @ pair + w["filter.centre.bias"]
        joined = np.concatenate([pair, [d], rbf * f_r])
        parts = ["from_atoms.centre", "from_atoms.other", "from_distance", "from_filter"]
        first = np.hstack([w[f"{part}.weight"] for part in parts])
        hidden = first @ joined + w["from_atoms.centre.bias"]
        return linear(w, "output.1", silu(hidden))

    def attention(self, name, edge, distance):
        """Eqs. 8-10, all heads: {neighbour: (H,)}."""
        semantic = {u: np.exp(celu(linear(self.weights, f"{name}.attention.score", e))) for u, e in edge.items()}
        semantic = {u: s / sum(semantic.values()) for u, s in semantic.items()}  # eq. 9
        spatial = {u: 0.5 * (np.cos(np.pi * d / self.cutoff) + 1.0) for u, d in distance.items()}  # eq. 8
        product = {u: spatial[u] * semantic[u] for u in edge}
        return {u: p / sum(product.values()) for u, p in product.items()}  # eq. 10


def unit(x):
    return x / np.linalg.norm(x)
