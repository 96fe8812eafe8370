"""The warning about a committee that disagrees: once, with atom and step, in dynamics and relaxations."""

import logging
import math

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.config import build_potential
from sakeff.drivers import MdSettings, outputs_in, relax, relaxed_start, run_md
from sakeff.drivers.deviation import Doubt, deviation_of
from sakeff.errors import ConfigError
from sakeff.structures import load_structure
from tests.small_models import small_model

WATER = molecule("H2O")


class Growing(Calculator):
    """A spring for each atom, and a force deviation of atom 1 that grows by 1/8 eV/A with each evaluation."""

    implemented_properties = ("energy", "forces")

    def __init__(self):
        super().__init__()
        self.calls = 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        positions = self.atoms.positions
        self.results = {"energy": 0.05 * (positions**2).sum(), "forces": -0.1 * positions}
        self.results["forces_std"] = np.array([0.01, self.calls / 8, 0.02])


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, logger="sakeff")
    return lambda: caplog.messages


def settings(**changes):
    usual = {"steps": 12, "ensemble": "nve", "log_every": 2, "frame_every": 2, "checkpoint_every": 2}
    return MdSettings(**{**usual, "temperature": 10.0, **changes})


def test_warns_once_with_atom_and_step(said):
    doubt = Doubt(WATER, 0.3)
    doubt.check(np.array([0.1, 0.3, 0.2]), 4)
    doubt.check(None, 5)
    assert said() == []
    doubt.check(np.array([0.1, 0.2, 0.45]), 6)
    doubt.check(np.array([0.1, 9.0, 0.2]), 8)
    assert len(said()) == 1
    assert "force on H2 at step 6: deviation 0.45 eV/A, more than 0.3;" in said()[0]


def test_only_committees_have_a_deviation():
    atoms = WATER.copy()
    assert deviation_of(atoms) is None
    atoms.calc = EMT()
    atoms.get_forces()
    assert deviation_of(atoms) is None


def test_dynamics_warn_at_the_first_logged_step_above_the_threshold(said):
    run_md(WATER, Growing(), settings(max_deviation=0.55))
    # one evaluation at the start and one for each step: step k has (k + 1) / 8, and every second step is looked at
    assert len(said()) == 1
    assert "H1 at step 4: deviation 0.625 eV/A, more than 0.55" in said()[0]


def test_a_high_threshold_is_silent(said):
    run_md(WATER, Growing(), settings(max_deviation=5.0))
    relax(WATER, Growing(), "FIRE", steps=5, max_deviation=math.inf)
    assert said() == []


def test_relaxations_warn(said):
    relax(WATER, Growing(), "FIRE", fmax=1e-9, steps=8)
    assert len(said()) == 1
    assert "H1 at step 2: deviation 0.375 eV/A, more than 0.3;" in said()[0]
    relaxed_start(WATER, Growing(), max_deviation=0.1)
    assert "more than 0.1;" in said()[1]


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_thresholds_are_above_zero(value):
    with pytest.raises(ConfigError, match="max_deviation"):
        settings(max_deviation=value)
    with pytest.raises(ConfigError, match="max_deviation"):
        relax(WATER, EMT(), max_deviation=value)


def test_a_run_resumes_with_another_threshold(tmp_path, said):
    outputs = outputs_in(tmp_path, "trajectory.xyz")
    run_md(WATER, EMT(), settings(steps=4), outputs=outputs)
    run_md(WATER, EMT(), settings(steps=8, max_deviation=0.1), outputs=outputs, resume=True)
    assert said() == []


@pytest.fixture
def committee(tmp_path):
    first = small_model(tmp_path / "first")
    config, provenance = load_checkpoint(first).config, load_checkpoint(first).provenance
    save_checkpoint(tmp_path / "second", build_potential(config, seed=8), config, provenance)
    return [first, str(tmp_path / "second")]


def test_models_in_a_list_make_a_committee(committee, said):
    start = load_structure("ethanol")
    result = run_md(start, committee, settings(steps=2, max_deviation=1e-9), device="cpu", dtype="float64")
    assert len(result.time_ps) == 2
    assert len(said()) == 1
    assert "at step 0:" in said()[0]
    relax(start, tuple(committee), steps=1, max_deviation=1e-9)
    assert len(said()) == 2


def test_openmm_refuses_a_committee(committee):
    with pytest.raises(ConfigError, match=r"'openmm' runs one model; run a committee with the engine 'ase'"):
        run_md(load_structure("ethanol"), committee, settings(), "openmm")
