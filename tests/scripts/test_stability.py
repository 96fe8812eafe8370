"""Stability of molecules in dynamics: the criteria on made-up frames, batches of copies, resumed runs, the document."""

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import bond_checks
import stability as script

from sakeff import SAKECalculator
from sakeff.drivers.engine import thermalise
from sakeff.drivers.md_ase import AseEngine
from sakeff.structures import load_structure
from tests.small_models import small_model

METHANE = Atoms(
    "CH4", [[0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [-0.63, 0.63, -0.63], [0.63, -0.63, -0.63]]
)


def frames_with(hydrogen, factor):
    """Three frames of methane; in the second, one C-H bond is so many times as long."""
    frames = np.repeat(METHANE.positions[None], 3, axis=0)
    frames[1, hydrogen] *= factor
    return frames


def test_a_bond_is_broken_beyond_one_and_a_half_times_its_start():
    bonds = bond_checks.Bonds(METHANE)
    assert len(bonds.lengths) == 4
    assert bonds.broken(frames_with(2, 1.49)) == []
    assert bonds.broken(frames_with(2, 1.51)) == ["C0-H2"]
    np.testing.assert_allclose(bonds.stretch(frames_with(2, 1.51)), [1, 1.51, 1, 1], atol=1e-12)
    assert bonds.formed(frames_with(2, 1.51)) == []


def test_a_pair_that_comes_as_near_as_a_bond_is_a_new_bond():
    bonds, frames = bond_checks.Bonds(METHANE), frames_with(1, 1.0)
    frames[2, 1] = METHANE.positions[4] + [0.0, 0.0, 0.7]  # 1.2 x (0.31 + 0.31) = 0.744 A
    assert bonds.formed(frames) == ["H1-H4"]
    frames[2, 1] = METHANE.positions[4] + [0.0, 0.0, 0.76]
    assert bonds.formed(frames) == []


TASK = script.Task("ethanol", 300.0, 1.0)


def run_with(frames, temperature, failure=None):
    return script.Run(None, failure, frames[:, None], np.asarray(temperature), 1.0, 100.0)


@pytest.mark.parametrize(
    ("temperature", "failure", "stable"),
    [
        ([150.0, 310.0, 899.0], None, True),
        ([150.0, 310.0, 901.0], None, False),
        ([150.0, np.nan, 310.0], None, False),
        ([150.0, 310.0, 310.0], "it stopped", False),
    ],
)
def test_heat_and_failures_count(temperature, failure, stable):
    frames = np.repeat(load_structure("ethanol").positions[None], 3, axis=0)
    row = script.assessed(TASK, (4,), run_with(frames, temperature, failure))[0]
    assert row["stable"] is stable
    assert (row["seed"], row["largest_stretch"], row["failure"]) == (4, 1.0, failure)


def test_only_the_copy_that_broke_is_unstable():
    start = load_structure("ethanol")
    frames = np.repeat(start.positions[None, None], 2, axis=0).repeat(3, axis=1)
    i, j = script.Bonds(start).i[0], script.Bonds(start).j[0]
    frames[1, 1, j] += 2.0 * (start.positions[j] - start.positions[i])
    run = script.Run(None, None, frames, np.array([300.0, 300.0]), 1.0, 100.0)
    rows = script.assessed(TASK, (0, 1, 2), run)
    assert [row["stable"] for row in rows] == [True, False, True]
    assert rows[1]["broken_bonds"][0] == f"C{i}-C{j}"


def test_copies_of_a_batch_do_not_feel_each_other(tmp_path):
    model, start = small_model(tmp_path / "model"), load_structure("ethanol")
    batch = script.together(start, 300.0, (0, 1, 2))
    batch.calc = SAKECalculator(model)
    for place, seed in enumerate((0, 1, 2)):
        one = script.copy_of(batch, start, place)
        np.testing.assert_array_equal(one.get_momenta(), thermalise(start, 300.0, seed).get_momenta())
        np.testing.assert_allclose(one.positions, start.positions, atol=1e-12)
        start.calc = batch.calc
        forces = batch.get_forces()[place * 9 : (place + 1) * 9]
        np.testing.assert_allclose(forces, SAKECalculator(model).get_forces(start), atol=1e-10)


def test_only_seeds_of_local_models_run_together(tmp_path):
    assert script.batches(str(small_model(tmp_path / "local"))) == [(0, 1, 2)]
    nonlocal_model = small_model(tmp_path / "nonlocal", nonlocal_kappa=1.0)
    assert script.batches(str(nonlocal_model)) == [(0,), (1,), (2,)]


@pytest.fixture
def short(monkeypatch):
    """Tasks of sixteen steps, sampled every second one, with a checkpoint every fourth."""
    tasks = (TASK, script.Task("ethanol", 500.0, 0.5))
    for name, value in (("NVT", tasks), ("NVE_PICOSECONDS", 1.0), ("SAMPLE_STEPS", 2), ("CHECKPOINT_STEPS", 4)):
        monkeypatch.setattr(script, name, value)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["stability.py", *map(str, arguments), "--picoseconds", "0.008"])
    return script.main()


@pytest.mark.usefixtures("short")
def test_one_command_makes_the_document_and_goes_on_after_a_kill(tmp_path, monkeypatch, capsys):
    model = small_model(tmp_path / "mine" / "model")
    call(monkeypatch, "--models", model, "--runs", tmp_path / "whole", "--output", tmp_path / "whole.json")
    advance, calls = AseEngine.advance, []

    def killed(engine, steps):
        calls.append(steps)
        if len(calls) == 7:
            raise KeyboardInterrupt
        advance(engine, steps)

    arguments = ["--models", model, "--runs", tmp_path / "cut", "--output", tmp_path / "cut.json"]
    monkeypatch.setattr(AseEngine, "advance", killed)
    with pytest.raises(KeyboardInterrupt):
        call(monkeypatch, *arguments)
    assert not (tmp_path / "cut.json").exists()
    call(monkeypatch, *arguments)
    assert len(calls) == 7 + 2 + 4 + 8  # from step 12 on, then the other two simulations
    whole, cut = (json.loads((tmp_path / name).read_text())["mine"] for name in ("whole.json", "cut.json"))
    for found in (whole, cut):
        for row in [*found["nvt"], found["nve"]]:
            assert row.pop("steps_per_second") > 0
    assert whole == cut
    assert [row["seed"] for row in whole["nvt"]] == [0, 1, 2, 0, 1, 2]
    assert all(row["stable"] for row in whole["nvt"])
    assert "| `mine` | ethanol | 500 | 3 x 0.004 ps | 0, 0 |" in capsys.readouterr().out


@pytest.mark.usefixtures("short")
def test_a_signal_ends_the_command_and_is_no_failure_of_the_model(tmp_path, monkeypatch, capsys):
    model = small_model(tmp_path / "mine" / "model")
    advance, calls = AseEngine.advance, []

    def signalled(engine, steps):
        advance(engine, steps)
        calls.append(steps)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(AseEngine, "advance", signalled)
    arguments = ["--models", model, "--runs", tmp_path / "runs", "--output", tmp_path / "s.json"]
    assert call(monkeypatch, *arguments) == 1
    assert "SIGTERM stopped the simulation" in capsys.readouterr().err
    assert len(calls) == 1
    assert not (tmp_path / "s.json").exists()
    assert call(monkeypatch, *arguments) == 0
    assert all(row["stable"] for row in json.loads((tmp_path / "s.json").read_text())["mine"]["nvt"])


@pytest.mark.usefixtures("short")
def test_a_simulation_that_explodes_is_a_row_and_not_an_end(tmp_path, monkeypatch, capsys):
    model = small_model(tmp_path / "wild" / "model")
    monkeypatch.setattr(script, "TIMESTEP_FS", 400.0)
    monkeypatch.setattr(sys, "argv", ["stability.py", "--models", str(model), "--runs", str(tmp_path / "runs"),
                                      "--output", str(tmp_path / "s.json"), "--picoseconds", "8"])  # fmt: skip
    script.main()
    found = json.loads((tmp_path / "s.json").read_text())["wild"]
    assert not any(row["stable"] for row in found["nvt"])
    assert "stopped after step" in found["nvt"][0]["failure"]
    assert str(tmp_path) not in json.dumps(found)
    assert found["nve"] == {"failure": "the equilibration failed", "conserved": False}
    assert "| `wild` | 0 ps | the equilibration failed |" in capsys.readouterr().out


def test_a_short_or_private_run_does_not_enter_the_published_document(tmp_path, monkeypatch, capsys):
    published = (script.models_folder() / "stability.json").read_bytes()
    private = small_model(tmp_path / "mine" / "model")
    for extra in (["--picoseconds", "0.008"], ["--models", str(private)]):
        monkeypatch.setattr(sys, "argv", ["stability.py", "--runs", str(tmp_path / "runs"), *extra])
        assert script.main() == 1
        assert "give another file with --output" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    assert (script.models_folder() / "stability.json").read_bytes() == published


def test_models_of_two_processes_end_in_one_document(tmp_path):
    first = script.put("a/model", {"nvt": [1]}, tmp_path / "s.json")
    assert first == {"a": {"nvt": [1]}}
    script.put("b/model", {"nvt": [2]}, tmp_path / "s.json")
    assert script.put("a/model", {"nvt": [3]}, tmp_path / "s.json") == {"a": {"nvt": [3]}, "b": {"nvt": [2]}}


def test_the_table_counts():
    base = {"structure": "riboflavin", "temperature_K": 300.0, "picoseconds": 10.0, "largest_stretch": 1.25,
            "mean_temperature_K": 301.0, "new_bonds": []}  # fmt: skip
    rows = [{**base, "broken_bonds": [], "stable": True}, {**base, "broken_bonds": ["C0-H1"], "stable": False}]
    nve = {"picoseconds": 10.0, "slope_meV_per_atom_ps": 0.00123, "slope_error": 0.0004, "failure": None}
    table = script.stability_table({"a": {"nvt": rows, "nve": nve}})
    assert "| `a` | riboflavin | 300 | 2 x 10 ps | 1, 0 | 1.25 | 301 | 1 of 2 |" in table
    assert "| `a` | 10 ps | 0.0012 +- 0.0004 |" in table


def test_the_committed_runs_are_of_the_bundled_weights():
    document = json.loads((script.models_folder() / "stability.json").read_text())
    assert set(document) == set(script.GENERAL)
    for name, found in document.items():
        assert found["weights_sha256"] == script.read_document(script.resolve_model(name))["weights_sha256"]
        assert len(found["nvt"]) == len(script.NVT) * len(script.SEEDS)
