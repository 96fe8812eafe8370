"""Real spherical harmonics of unit vectors and their coupling coefficients.

Orders run m = -l..l. The normalisation is Racah's: ``sum_m Y_lm(n)^2 = 1`` for every degree and direction,
so that norms of different degrees have one scale. Both are checked against libraries in the tests.
"""

import math
from typing import List

import numpy as np
import torch
from torch import Tensor, nn


class SphericalHarmonics(nn.Module):
    """``Y_lm(n)`` for a set of degrees, as polynomials of the components of a unit vector n.

    Y_lm = N_lm Q_l^|m|(z) A_|m|(x, y) with A_m + i B_m = (x + i y)^m (B for negative m), Q_l^m = P_l^m / sin^m
    from the recurrence of the associated Legendre functions without the Condon-Shortley phase.
    """

    def __init__(self, degrees: List[int]) -> None:
        super().__init__()
        self.degrees = [int(l) for l in degrees]
        self.l_max = max(self.degrees)
        norms = [[_racah_norm(l, m) for m in range(l + 1)] for l in range(self.l_max + 1)]
        self.norms: List[List[float]] = norms

    def forward(self, unit: Tensor) -> Tensor:
        """Unit vectors (E, 3) to (E, sum of 2l+1), degrees concatenated in the order given."""
        x, y, z = unit[:, 0], unit[:, 1], unit[:, 2]
        cosines, sines = [torch.ones_like(x)], [torch.zeros_like(x)]
        for m in range(self.l_max):
            cosines.append(x * cosines[m] - y * sines[m])
            sines.append(x * sines[m] + y * cosines[m])
        q = self._legendre(z)
        columns: List[Tensor] = []
        for l in self.degrees:
            for m in range(-l, l + 1):
                k = abs(m)
                azimuth = sines[k] if m < 0 else cosines[k]
                columns.append(self.norms[l][k] * q[l][k] * azimuth)
        return torch.stack(columns, dim=-1)

    def _legendre(self, z: Tensor) -> List[List[Tensor]]:
        """``Q_l^m(z)``: Q_m^m = (2m-1)!! and (l-m) Q_l^m = (2l-1) z Q_(l-1)^m - (l+m-1) Q_(l-2)^m."""
        q: List[List[Tensor]] = []
        double_factorial = 1.0
        for l in range(self.l_max + 1):
            row: List[Tensor] = []
            for m in range(l):
                value = (2.0 * l - 1.0) * z * q[l - 1][m]
                if m < l - 1:
                    value = value - (l + m - 1.0) * q[l - 2][m]
                row.append(value / float(l - m))
            row.append(torch.full_like(z, double_factorial))
            double_factorial = double_factorial * (2.0 * l + 1.0)
            q.append(row)
        return q


def _racah_norm(l: int, m: int) -> float:
    """``sqrt((2 - [m = 0]) (l - m)! / (l + m)!)``."""
    factor = 1.0 if m == 0 else 2.0
    return math.sqrt(factor * math.factorial(l - m) / math.factorial(l + m))


def clebsch_gordan(l1: int, l2: int, l3: int) -> np.ndarray:
    """Real coupling coefficients C[m1, m2, m3] of eq. 8, normalised to ``sum C^2 = 1`` over all entries.

    From the complex coefficients and the unitary change to the real basis above. Odd l1+l2+l3 gives
    pseudotensors (antisymmetric couplings). The overall sign is a convention: the largest entry is positive.
    """
    coupled = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l3 + 1), dtype=complex)
    for m1 in range(-l1, l1 + 1):
        for m2 in range(-l2, l2 + 1):
            if abs(m1 + m2) <= l3:
                coupled[m1 + l1, m2 + l2, m1 + m2 + l3] = _complex_clebsch_gordan(l1, m1, l2, m2, l3, m1 + m2)
    u1, u2, u3 = _to_real(l1), _to_real(l2), _to_real(l3)
    real_basis = np.einsum("abc,ia,jb,kc->ijk", coupled, u1, u2, u3.conj())
    # The result is real or purely imaginary, by the parity of l1 + l2 + l3.
    values = real_basis.real if np.abs(real_basis.real).max() > np.abs(real_basis.imag).max() else real_basis.imag
    values = values * np.sign(values.flat[np.argmax(np.abs(values))])
    return values / np.linalg.norm(values)


def _to_real(l: int) -> np.ndarray:
    """Rows: real harmonics m = -l..l as combinations of complex ones with the Condon-Shortley phase."""
    u = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    u[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1.0) ** m
        u[l + m, l + m], u[l + m, l - m] = sign / math.sqrt(2), 1 / math.sqrt(2)
        u[l - m, l - m], u[l - m, l + m] = 1j / math.sqrt(2), -1j * sign / math.sqrt(2)
    return u


def _complex_clebsch_gordan(j1: int, m1: int, j2: int, m2: int, j: int, m: int) -> float:
    """<j1 m1 j2 m2 | j m> by Racah's formula."""
    f = math.factorial
    prefactor = (2 * j + 1) * f(j + j1 - j2) * f(j - j1 + j2) * f(j1 + j2 - j) / f(j1 + j2 + j + 1)
    prefactor *= f(j + m) * f(j - m) * f(j1 - m1) * f(j1 + m1) * f(j2 - m2) * f(j2 + m2)
    low = max(0, j2 - j - m1, j1 - j + m2)
    high = min(j1 + j2 - j, j1 - m1, j2 + m2)
    total = 0.0
    for k in range(low, high + 1):
        denominator = f(k) * f(j1 + j2 - j - k) * f(j1 - m1 - k) * f(j2 + m2 - k)
        total += (-1) ** k / (denominator * f(j - j2 + m1 + k) * f(j - j1 - m2 + k))
    return math.sqrt(prefactor) * total
