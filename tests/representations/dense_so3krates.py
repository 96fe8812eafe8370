"""So3krates transcribed from the paper, atom by atom: eqs. 9-19 and 29-34, nothing shared with the package.

Weights come from a ``state_dict``; harmonics and coupling coefficients come from e3nn. Every piece is the printed one:
cosine cutoff, initial SPHC divided by C_i, Euclidean norms, all couplings.
"""

import itertools
import math

import numpy as np
import torch
from e3nn import o3


def linear(weights, name, x):
    return weights[f"{name}.weight"] @ x + weights.get(f"{name}.bias", 0.0)


def silu(x):
    return x / (1.0 + np.exp(-x))


def two_layers(weights, name, x):
    return linear(weights, f"{name}.2", silu(linear(weights, f"{name}.0", x)))


def harmonics(l, direction):
    """Normalised to length one, orders m = -l..l with the polar axis z (e3nn's is y)."""
    unit = torch.from_numpy(direction / np.linalg.norm(direction))[[1, 2, 0]]
    return o3.spherical_harmonics(l, unit, normalize=False, normalization="norm").numpy()


class DenseSo3krates:
    """Features f and SPHC {l: chi} of every atom, layer by layer. ``signs`` {path: +-1} are those of the couplings."""

    def __init__(self, weights, layers, heads, degrees, cutoff, basis_size, signs, kappa=None):
        self.weights, self.layers, self.heads, self.degrees = weights, layers, heads, degrees
        self.cutoff, self.basis_size, self.signs, self.kappa = cutoff, basis_size, signs, kappa

    def __call__(self, f, positions):
        self.r = positions[None] - positions[:, None]  # r_ij = r_j - r_i
        self.d = np.linalg.norm(self.r, axis=-1)
        n = len(f)
        self.near = [[j for j in range(n) if j != i and self.d[i, j] < self.cutoff] for i in range(n)]
        chi = [self.initial(i) for i in range(n)]
        for k in range(self.layers):
            f, chi = self.layer(f"layers.{k}", f, chi)
        return f, chi

    def phi(self, d):
        """Eq. 31."""
        return 0.5 * (math.cos(math.pi * d / self.cutoff) + 1.0) if d < self.cutoff else 0.0

    def basis(self, d):
        """Eq. 30 with the centres and widths of PhysNet."""
        low = math.exp(-self.cutoff)
        centres = torch.linspace(low, 1.0, self.basis_size).double().numpy()  # float32, as rounded in the model
        gamma = (2.0 / self.basis_size * (1.0 - low)) ** -2
        return self.phi(d) * np.exp(-gamma * (math.exp(-d) - centres) ** 2)

    def initial(self, i):
        """Eq. 11."""
        total = sum(self.phi(self.d[i, j]) for j in self.near[i])
        return {
            l: sum(self.phi(self.d[i, j]) * harmonics(l, self.r[i, j]) for j in self.near[i]) / total
            for l in self.degrees
        }

    def alpha(self, name, f, chi, i, j, heads):
        """Eqs. 15, 16 and 32 for every head."""
        between = np.array([np.linalg.norm(chi[j][l] - chi[i][l]) for l in self.degrees])
        radial = two_layers(self.weights, f"{name}.filters.parts.0.network", self.basis(self.d[i, j]))
        spherical = two_layers(self.weights, f"{name}.filters.parts.1.network", between)
        w = radial + spherical
        q, k = linear(self.weights, f"{name}.query", f[i]), linear(self.weights, f"{name}.key", f[j])
        width = len(q) // heads
        parts = [slice(a * width, (a + 1) * width) for a in range(heads)]
        return np.array([q[p] @ (w[p] * k[p]) / math.sqrt(width) for p in parts])

    def layer(self, name, f, chi):
        n = len(f)
        attended = [f[i] + self.feature_message(name, f, chi, i) for i in range(n)]
        far = self.spherical_weights(chi) if self.kappa else np.zeros((n, n))
        moved = [self.geometric_update(f"{name}.geometric.coefficients", f, chi, i, far) for i in range(n)]
        both = [self.interaction(f"{name}.interaction", attended[i], moved[i]) for i in range(n)]
        return np.array([one[0] for one in both]), [one[1] for one in both]

    def feature_message(self, name, f, chi, i):
        """Eqs. 12 and 33."""
        total = np.zeros_like(f[i])
        for j in self.near[i]:
            alpha = self.alpha(f"{name}.features.coefficients", f, chi, i, j, self.heads)
            value = linear(self.weights, f"{name}.features.value", f[j])
            total += self.phi(self.d[i, j]) * np.repeat(alpha, len(value) // self.heads) * value
        return total

    def geometric_update(self, name, f, chi, i, far):
        """Eqs. 13 and 34, or 14 with the weights of the spherical neighbourhood."""
        new = {l: chi[i][l].copy() for l in self.degrees}
        for j in range(len(f)):
            weight = (self.phi(self.d[i, j]) + far[i, j]) if j != i else 0.0
            if weight != 0.0:
                alpha = self.alpha(name, f, chi, i, j, len(self.degrees))
                for head, l in enumerate(self.degrees):
                    new[l] += weight * alpha[head] * harmonics(l, self.r[i, j])
        return new

    def spherical_weights(self, chi):
        """A.2: polynomial cutoff of the row-wise softmax of SPHC distances."""
        whole = np.array([np.concatenate([one[l] for l in self.degrees]) for one in chi])
        distance = np.linalg.norm(whole[:, None] - whole[None], axis=-1)
        softmax = np.exp(distance) / np.exp(distance).sum(axis=1, keepdims=True)
        x, p = softmax * len(chi) / self.kappa, 6
        value = 1 - (p + 1) * (p + 2) / 2 * x**p + p * (p + 2) * x ** (p + 1) - p * (p + 1) / 2 * x ** (p + 2)
        return np.where(x < 1, value, 0.0)

    def coupled(self, name, chi):
        """Eq. 19."""
        weights = self.weights[f"{name}.coupling.weights"]
        result = {l: np.zeros(2 * l + 1) for l in self.degrees}
        for k, (l1, l2, l) in enumerate(coupling_paths(self.degrees)):
            coefficients = math.sqrt(2 * l + 1) * o3.wigner_3j(l1, l2, l, dtype=torch.float64).numpy()
            product = np.einsum("abc,a,b->c", coefficients, chi[l1], chi[l2])
            result[l] += weights[k] * self.signs[l1, l2, l] * product
        return result

    def interaction(self, name, f, chi):
        """Eqs. 17 and 18."""
        coupled, n = self.coupled(name, chi), len(self.degrees)
        own = [np.linalg.norm(chi[l]) for l in self.degrees]
        cross = [np.linalg.norm(coupled[l]) for l in self.degrees]
        output = two_layers(self.weights, f"{name}.network", np.concatenate([f, own, cross]))
        phi_1, phi_2 = output[:-n], output[-n:]
        phi_3 = linear(self.weights, f"{name}.coupled_scale", np.array(cross))
        new = {l: chi[l] + phi_2[a] * chi[l] + phi_3[a] * coupled[l] for a, l in enumerate(self.degrees)}
        return f + phi_1, new


def coupling_paths(degrees):
    """All valid (l1, l2, l) with l1 < l2, in the order of the learned coefficients."""
    for (l1, l2), l in itertools.product(itertools.combinations(degrees, 2), degrees):
        if abs(l1 - l2) <= l <= l1 + l2:
            yield l1, l2, l
