import numpy as np
import pytest

from sakeff.drivers.report import drift, slope_with_error, statistical_inefficiency, table


def correlated(rng, length, memory):
    """AR(1) noise of unit variance: rho_k = memory**k, so g = (1 + memory) / (1 - memory)."""
    noise = np.empty(length)
    noise[0] = rng.normal()
    for k in range(1, length):
        noise[k] = memory * noise[k - 1] + np.sqrt(1 - memory**2) * rng.normal()
    return noise


def test_slope_of_a_line_is_exact():
    x = np.linspace(2.0, 5.0, 40)
    slope = slope_with_error(x, 3.5 * x - 1.0)
    assert slope.value == pytest.approx(3.5, rel=1e-12)
    assert slope.error < 1e-12


def test_slope_equals_that_of_polyfit():
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.uniform(size=50)), rng.normal(size=50)
    assert slope_with_error(x, y).value == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-10)


def test_few_samples_have_no_slope():
    assert np.isnan(slope_with_error([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])).all()


@pytest.mark.parametrize("memory", [0.0, 0.6, 0.9])
def test_inefficiency_of_noise_of_known_memory(memory):
    rng = np.random.default_rng(1)
    expected = (1 + memory) / (1 - memory)
    found = np.mean([statistical_inefficiency(correlated(rng, 4000, memory)) for _ in range(10)])
    assert found == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_the_error_is_the_scatter_of_slopes(memory):
    """Over many repetitions, slopes scatter as the error says; ignoring correlation would fail by a factor of three."""
    rng = np.random.default_rng(2)
    x = np.arange(1000.0)
    slopes = [slope_with_error(x, correlated(rng, 1000, memory)) for _ in range(200)]
    scatter = np.std([slope.value for slope in slopes])
    claimed = np.sqrt(np.mean([slope.error**2 for slope in slopes]))
    assert claimed == pytest.approx(scatter, rel=0.25)


def test_drift_is_per_atom_in_mev():
    time = np.linspace(0.0, 10.0, 101)
    assert drift(time, 5.0 + 0.02 * time, n_atoms=4).value == pytest.approx(5.0, rel=1e-10)


def test_table_aligns_columns():
    lines = table(["name", "n"], [["a", "1"], ["long name", "100"]], right=(1,)).splitlines()
    assert lines == ["name         n", "---------  ---", "a            1", "long name  100"]
