"""NVE: the total energy does not drift, and its fluctuation falls as the square of the time step."""

import json

import pytest

from sakeff import SAKECalculator
from sakeff.drivers.md import run_md
from sakeff.drivers.prepare import equilibrated
from sakeff.zoo import list_models
from scripts.nve import ENGINES, MODELS, conservation, hot_ethanol, settings, write
from tests.engines.morse import dimers_in_a_box, morse_potential
from tests.engines.runners import skip_without_openmmtorch, to_atoms

LARGEST_SLOPE = 0.02  # meV/atom/ps


def bundled(name):
    return pytest.param(name, marks=pytest.mark.skipif(name not in list_models(), reason=f"no bundled model {name}"))


BUNDLED = [bundled(name) for name in MODELS]


def runs(start, model, picoseconds, **options):
    """At 1.0 and 0.5 fs from one state."""
    return [run_md(start, model, settings(step, picoseconds), **options) for step in (1.0, 0.5)]


def assert_conserved(coarse, fine):
    """Returns what was found at 0.5 fs."""
    one, half = conservation(coarse), conservation(fine)
    assert 3.0 < one.fluctuation / half.fluctuation < 5.0
    assert abs(half.slope) <= LARGEST_SLOPE + 2 * half.slope_error
    return half


@pytest.mark.parametrize("periodic", [False, True], ids=["open", "periodic"])
def test_morse_molecules(periodic):
    """Diatomic molecules, also in a periodic box through whose faces some of them lie."""
    atoms = to_atoms(dimers_in_a_box(edge=40.0))
    atoms.pbc = periodic
    calculator = SAKECalculator(morse_potential(depth=6.0), dtype="float64")
    warm_up = settings(0.5, 0.1, "nvt")
    start = equilibrated(atoms, calculator, warm_up, warm_up.steps, "ase")
    assert_conserved(*runs(start, calculator, 0.5))


def test_report(tmp_path):
    calculator = SAKECalculator(morse_potential(depth=6.0), dtype="float64")
    start = to_atoms(dimers_in_a_box(per_side=1))
    result = run_md(start, calculator, settings(1.0, 0.05))
    text = write(tmp_path, {"morse": {"ASE 1.0 fs": result}}, {"ps": 0.05})
    document = json.loads((tmp_path / "nve.json").read_text())
    assert document["runs"]["morse"]["ASE 1.0 fs"] == conservation(result)._asdict()
    assert (tmp_path / "nve.png").stat().st_size > 1000
    assert "ASE 1.0 fs" in text


@pytest.mark.parametrize("model", BUNDLED)
def test_ethanol(model):
    start = hot_ethanol(model, 0.2)
    assert_conserved(*runs(start, model, 0.5, **ENGINES["ASE"]))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", BUNDLED)
def test_ethanol_for_20_ps(model, engine):
    if engine == "TorchForce":
        skip_without_openmmtorch()
    start = hot_ethanol(model, 5.0)
    half = assert_conserved(*runs(start, model, 20.0, **ENGINES[engine]))
    assert abs(half.slope) <= LARGEST_SLOPE
    assert half.slope_error <= LARGEST_SLOPE
