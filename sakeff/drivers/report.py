"""Numbers about a run that a reader can trust: tables, and slopes with honest standard errors."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

MEV_PER_EV = 1000.0
MIN_SAMPLES = 4
WINDOW = 5.0  # Sokal's rule: sum correlations up to a lag of five correlation times


class Slope(NamedTuple):
    """A slope and its standard error; NaN where there are too few samples."""

    value: float
    error: float


def slope_with_error(x: np.ndarray, y: np.ndarray) -> Slope:
    """Least-squares slope of ``y`` (M,) over ``x`` (M,), with a standard error that knows about correlated residuals.

    ``error^2 = g * sum(r^2) / (M - 2) / sum((x - mean x)^2)``, where r are the residuals and g is their statistical
    inefficiency: M correlated samples count as M/g. Fewer than 4 samples give NaN.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(x) < MIN_SAMPLES:
        return Slope(float("nan"), float("nan"))
    dx, dy = x - x.mean(), y - y.mean()
    spread = float(dx @ dx)
    value = float(dx @ dy) / spread
    residuals = dy - value * dx
    variance = float(residuals @ residuals) / (len(x) - 2) / spread
    return Slope(value, float(np.sqrt(statistical_inefficiency(residuals) * variance)))


def statistical_inefficiency(series: np.ndarray) -> float:
    """``g = 1 + 2 sum_k rho_k``, the number of samples that count as one; at least 1.

    The sum over the normalised autocorrelation rho stops at the first lag k >= 5 g/2 (Sokal's window).
    """
    rho = _autocorrelation(np.asarray(series, np.float64))
    cumulative = 1.0 + 2.0 * np.cumsum(rho[1:])
    lags = np.arange(1, len(rho))
    enough = np.nonzero(lags >= WINDOW * cumulative / 2.0)[0]
    stop = enough[0] if len(enough) else len(cumulative) - 1
    return float(max(cumulative[stop], 1.0))


def _autocorrelation(series: np.ndarray) -> np.ndarray:
    """Normalised to 1 at lag 0, by FFT with zero padding."""
    centred = series - series.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    raw = np.fft.irfft(spectrum * spectrum.conj())[: len(centred)]
    return raw / raw[0] if raw[0] > 0 else np.eye(1, len(centred))[0]


def drift(time_ps: np.ndarray, total_ev: np.ndarray, n_atoms: int) -> Slope:
    """Slope of the total energy in meV/atom/ps with its standard error."""
    slope = slope_with_error(time_ps, total_ev)
    return Slope(slope.value * MEV_PER_EV / n_atoms, slope.error * MEV_PER_EV / n_atoms)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Plain text with aligned columns; those whose index is in ``right`` are aligned to the right."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    justify = [str.rjust if column in right else str.ljust for column in range(len(header))]
    return "\n".join("  ".join(map(_apply, justify, line, widths)).rstrip() for line in lines)


def _apply(justify: Callable[[str, int], str], cell: str, width: int) -> str:
    return justify(cell, width)
