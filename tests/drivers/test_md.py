"""The loop: log, trajectory, watch, resume. Engines are exchangeable; ASE with EMT is the quick one."""

import csv
import shutil
import signal

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms

from sakeff import SAKECalculator
from sakeff.drivers import MdOutputs, MdSettings, equilibrated, outputs_in, relaxed_start, run_md, steps_in
from sakeff.drivers.calculators import identity
from sakeff.drivers.md_ase import AseEngine
from sakeff.errors import CheckpointError, ConfigError, OutputExistsError, SimulationError, StoppedError, StructureError
from sakeff.structures import load_structure
from tests.small_models import small_model

COPPER = bulk("Cu", cubic=True) * (2, 2, 2)


def settings(**changes):
    usual = {"steps": 60, "timestep_fs": 2.0, "temperature": 400.0, "log_every": 5, "frame_every": 10}
    return MdSettings(**{**usual, "checkpoint_every": 20, **changes})


def run(folder, changes=None, resume=False, **options):
    outputs = outputs_in(folder, "trajectory.xyz")
    return run_md(COPPER, EMT(), settings(**(changes or {})), "ase", outputs, resume, **options)


def test_log_trajectory_and_result_agree(tmp_path):
    result = run(tmp_path, {"ensemble": "nve"})
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["step"]) for row in rows] == list(range(0, 61, 5))
    assert [float(row["total_eV"]) for row in rows] == result.total.tolist()
    np.testing.assert_allclose(result.total, result.potential + result.kinetic, rtol=1e-12)
    assert result.time_ps[-1] == pytest.approx(0.12)
    frames = ase.io.read(tmp_path / "trajectory.xyz", ":")
    assert [frame.info["step"] for frame in frames] == list(range(0, 61, 10))
    np.testing.assert_allclose([frame.get_potential_energy() for frame in frames], result.potential[::2], atol=1e-7)
    np.testing.assert_allclose([frame.get_kinetic_energy() for frame in frames], result.kinetic[::2], rtol=1e-6)
    np.testing.assert_allclose(frames[-1].positions, result.atoms.positions, atol=1e-7)
    written = {"log.csv", "trajectory.xyz", "checkpoint.npz", "energy.png", "temperature.png"}
    assert {path.name for path in tmp_path.iterdir()} == written
    assert result.ns_per_day > 0


def test_nve_conserves_energy_and_nvt_does_not():
    kept = run_md(COPPER, EMT(), settings(ensemble="nve", steps=100))
    assert np.ptp(kept.total) < 0.02 * np.ptp(kept.kinetic)
    bath = run_md(COPPER, EMT(), settings(ensemble="nvt", steps=100, friction=10.0))
    assert np.ptp(bath.total) > 10 * np.ptp(kept.total)


def test_fluctuations_of_the_total_energy_fall_fourfold_with_half_the_step():
    """Second order of velocity Verlet."""
    coarse = run_md(COPPER, EMT(), settings(ensemble="nve", steps=100, timestep_fs=4.0, log_every=1))
    fine = run_md(COPPER, EMT(), settings(ensemble="nve", steps=200, timestep_fs=2.0, log_every=1))
    assert coarse.total.std() / fine.total.std() == pytest.approx(4.0, rel=0.15)


def test_the_thermostat_reaches_its_temperature():
    warm = settings(steps=3000, friction=20.0, temperature=500.0, log_every=20, frame_every=20)
    result = run_md(COPPER, EMT(), warm)
    late = result.temperature[len(result.temperature) // 3 :]
    # 96 degrees of freedom, about 100 independent samples: four standard errors
    assert late.mean() == pytest.approx(500.0, rel=4 * np.sqrt(2 / 96 / 100))


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_resumed_runs_continue_exactly(tmp_path, ensemble):
    whole = run(tmp_path / "whole", {"ensemble": ensemble})
    run(tmp_path / "parts", {"ensemble": ensemble, "steps": 25})
    log = tmp_path / "parts" / "log.csv"
    log.write_text(log.read_text() + "30,0.06,garbage of a killed run")
    resumed = run(tmp_path / "parts", {"ensemble": ensemble}, resume=True)
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)
    np.testing.assert_array_equal(resumed.total, whole.total)
    for name in ("trajectory.xyz",):
        assert (tmp_path / "parts" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_a_run_killed_between_checkpoints_resumes_from_the_last(tmp_path, monkeypatch):
    whole = run(tmp_path / "whole")
    with monkeypatch.context() as patch:
        advance = AseEngine.advance

        def killed(self, steps):
            if self.dynamics.nsteps >= 35:
                raise KeyboardInterrupt
            advance(self, steps)

        patch.setattr(AseEngine, "advance", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts")
    resumed = run(tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(resumed.total, whole.total)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path, monkeypatch, number):
    whole = run(tmp_path / "whole")
    advance = AseEngine.advance

    def signalled(self, steps):
        advance(self, steps)
        if self.dynamics.nsteps == 35:
            signal.raise_signal(number)

    monkeypatch.setattr(AseEngine, "advance", signalled)
    with pytest.raises(StoppedError, match=rf"{number.name} stopped the simulation after step 35; .*npz.*--resume"):
        run(tmp_path / "parts")
    with pytest.raises(StoppedError, match="no checkpoint was asked for"):
        run_md(COPPER, EMT(), settings())
    resumed = run(tmp_path / "parts", resume=True)
    np.testing.assert_array_equal(resumed.total, whole.total)


def test_resume_refuses_other_settings_other_atoms_and_no_checkpoint(tmp_path):
    run(tmp_path, {"steps": 20})
    with pytest.raises(ConfigError, match="other settings"):
        run(tmp_path, {"timestep_fs": 1.0}, resume=True)
    outputs = outputs_in(tmp_path, "trajectory.xyz")
    with pytest.raises(ConfigError, match="atoms"):
        run_md(bulk("Cu"), EMT(), settings(), "ase", outputs, resume=True)
    with pytest.raises(CheckpointError, match="no simulation checkpoint"):
        run(tmp_path / "nowhere", resume=True)
    (tmp_path / "checkpoint.npz").write_bytes(b"PK not a zip")
    with pytest.raises(CheckpointError, match="no readable simulation checkpoint"):
        run(tmp_path, resume=True)


def test_resume_refuses_another_model_or_dtype(tmp_path, one_model):
    """One log must not go on with the energies of another model."""
    ethanol = load_structure("ethanol")
    outputs = outputs_in(tmp_path / "md", "trajectory.xyz")
    other = small_model(tmp_path / "other", width=6)
    short = settings(timestep_fs=0.5, steps=5)
    run_md(ethanol, one_model, short, "ase", outputs)
    for model, options in ((other, {}), ([one_model, other], {}), (EMT(), {}), (one_model, {"dtype": "float32"})):
        with pytest.raises(ConfigError, match="another model"):
            run_md(ethanol, model, settings(timestep_fs=0.5, steps=10), "ase", outputs, resume=True, **options)
    copy = shutil.copytree(one_model, tmp_path / "copy")  # the same weights in another place are the same model
    assert run_md(ethanol, copy, settings(timestep_fs=0.5, steps=10), "ase", outputs, resume=True).steps == 10


def test_resume_refuses_another_cell_or_other_masses(tmp_path):
    run(tmp_path, {"steps": 20})
    outputs = outputs_in(tmp_path, "trajectory.xyz")
    larger, heavier = COPPER.copy(), COPPER.copy()
    larger.set_cell(1.01 * COPPER.cell.array)
    heavier.set_masses(COPPER.get_masses() + 1.0)
    for atoms in (larger, heavier):
        with pytest.raises(ConfigError, match="other settings, atoms or cell"):
            run_md(atoms, EMT(), settings(), "ase", outputs, resume=True)


def test_labels_of_the_start_are_not_written_beside_other_positions(tmp_path):
    start = COPPER.copy()
    start.info.update(REF_energy=-1.0, smiles="[Cu]")
    start.arrays["REF_forces"] = np.ones((len(start), 3))
    run_md(start, EMT(), settings(), "ase", outputs_in(tmp_path, "trajectory.xyz"))
    last = ase.io.read(tmp_path / "trajectory.xyz", "-1")
    assert "REF_energy" not in last.info
    assert "REF_forces" not in last.arrays
    assert last.info["smiles"] == "[Cu]"
    assert start.info["REF_energy"] == -1.0  # the caller's atoms are not changed


@pytest.mark.parametrize("seed", [-1, 2**31 - 1])
def test_seeds_that_an_engine_cannot_take_are_refused(seed):
    with pytest.raises(ConfigError, match="give a number from 0"):
        settings(seed=seed)


def test_a_calculator_is_the_models_it_was_made_of(tmp_path, one_model):
    other = small_model(tmp_path / "other", width=6)
    committee = identity(SAKECalculator([one_model, other]))
    assert committee == [*identity(SAKECalculator(one_model)), *identity(SAKECalculator(other))]
    assert len(set(committee)) == 2
    assert identity([one_model, str(other)]) == [*identity(one_model), *identity(other)]


def test_outputs_are_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "log.csv").write_text("precious")
    with pytest.raises(OutputExistsError):
        run(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"log.csv": "precious"}


def test_the_topology_beside_a_dcd_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "trajectory.pdb").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"trajectory\.pdb"):
        run_md(COPPER, EMT(), settings(), "ase", outputs_in(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["trajectory.pdb"]


def test_an_exploding_bond_stops_the_run_and_saves_the_last_good_frame(tmp_path):
    """Two atoms on the wall of a Lennard-Jones potential fly apart."""
    atoms = molecule("N2")
    bomb = LennardJones(sigma=2.0, epsilon=1.0, rc=50.0)
    outputs = MdOutputs(log=tmp_path / "log.csv", last_good=tmp_path / "last_good.xyz")
    fast = settings(ensemble="nve", steps=1000, timestep_fs=0.1, log_every=1, frame_every=1, temperature=1.0)
    with pytest.raises(SimulationError, match=r"bond N0-N1 exploded from 1\.1. to .* is in .*last_good\.xyz") as caught:
        run_md(atoms, bomb, fast, "ase", outputs)
    saved = ase.io.read(tmp_path / "last_good.xyz")
    assert 1.1 < saved.get_distance(0, 1) <= 2 * atoms.get_distance(0, 1)
    assert f"after step {saved.info['step']} " in str(caught.value)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == saved.info["step"] + 2  # header and step 0


def test_a_model_that_refuses_the_positions_stops_the_run(tmp_path, one_model):
    """Far too long a step throws atoms onto each other or away."""
    outputs = MdOutputs(last_good=tmp_path / "last_good.xyz")
    wild = settings(ensemble="nve", timestep_fs=500.0, temperature=5000.0, log_every=1, frame_every=1, steps=200)
    with pytest.raises(SimulationError, match="its last good frame is in"):
        run_md(load_structure("ethanol"), one_model, wild, "ase", outputs)
    assert np.isfinite(ase.io.read(tmp_path / "last_good.xyz").positions).all()


def test_constraints_and_unknown_engines_are_refused():
    held = COPPER.copy()
    held.set_constraint(FixAtoms([0]))
    with pytest.raises(StructureError, match="takes no constraints"):
        run_md(held, EMT(), settings())
    with pytest.raises(ConfigError, match="Unknown engine"):
        run_md(COPPER, EMT(), settings(), "lammps")


@pytest.mark.parametrize(
    "changes",
    [
        {"ensemble": "npt"},
        {"timestep_fs": 0.0},
        {"timestep_fs": float("nan")},
        {"temperature": -1.0},
        {"friction": 0.0},
        {"steps": -1},
        {"log_every": 0},
        {"max_stretch": 1.0},
        {"frame_every": 7},
        {"checkpoint_every": 21},
    ],
)
def test_settings_that_make_no_sense(changes):
    with pytest.raises(ConfigError):
        settings(**changes)


def test_steps_in():
    assert steps_in(2.0, 0.5) == 4000
    for wrong in ((float("inf"), 0.5), (1.0, 0.0), (-1.0, 0.5)):
        with pytest.raises(ConfigError):
            steps_in(*wrong)


def test_relaxed_and_equilibrated_starts():
    shaken = COPPER.copy()
    shaken.rattle(0.05, seed=1)
    relaxed = relaxed_start(shaken, EMT())
    assert relaxed.calc is None
    assert not relaxed.get_momenta().any()
    relaxed.calc = EMT()
    assert np.linalg.norm(relaxed.get_forces(), axis=1).max() <= 0.05
    warm = equilibrated(relaxed, EMT(), settings(ensemble="nve"), 20, "ase")
    assert warm.get_momenta().any()
    assert not np.allclose(warm.positions, relaxed.positions, atol=1e-3)
