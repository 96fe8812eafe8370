"""OpenMM through the same loop: it starts from the same energy as ASE, conserves it, resumes and fails clearly."""

import numpy as np
import pytest
from ase import Atoms, units

from sakeff.drivers import MdSettings, outputs_in, run_md
from sakeff.errors import CheckpointError, ConfigError, EngineUnavailableError, SimulationError, StructureError
from sakeff.structures import load_structure

EXACT = {"platform": "Reference", "dtype": "float64"}


def settings(**changes):
    usual = {"steps": 20, "ensemble": "nve", "temperature": 5.0, "log_every": 5, "frame_every": 5}
    return MdSettings(**{**usual, "checkpoint_every": 10, **changes})


def box():
    """Two ethanols in a general triclinic cell, which OpenMM sees rotated."""
    atoms = load_structure("ethanol")
    other = atoms.copy()
    other.translate([4.0, 1.0, 0.5])
    atoms += other
    atoms.set_cell([[8.0, 1.0, 0.5], [-1.0, 7.0, 2.0], [0.3, -1.5, 7.5]])
    atoms.pbc = True
    return atoms


@pytest.mark.parametrize("backend", ["torch", "python"])
@pytest.mark.parametrize("start", [load_structure("ethanol"), box()], ids=["open", "triclinic"])
def test_ase_and_openmm_take_the_same_path(model, start, backend):
    """Leapfrog and velocity Verlet are the same path with half a step between their velocities."""
    short = settings(timestep_fs=0.05)
    one = run_md(start, model, short, "ase")
    two = run_md(start, model, short, "openmm", backend=backend, **EXACT)
    assert two.potential[0] == pytest.approx(one.potential[0], rel=1e-9)
    np.testing.assert_allclose(two.atoms.positions, one.atoms.positions, atol=2e-5)
    np.testing.assert_allclose(two.total, one.total, atol=1e-6)
    np.testing.assert_allclose(two.temperature, one.temperature, rtol=2e-2)
    assert two.atoms.cell.array.tolist() == start.cell.array.tolist()


def test_velocities_arrive_in_the_right_units(one_model):
    """Two atoms out of each other's reach fly straight."""
    atoms = Atoms("CC", [[0.0, 0.0, 0.0], [50.0, 0.0, 0.0]])
    atoms.set_momenta(atoms.get_masses()[:, None] * [[0.0, 0.02, 0.0], [0.0, -0.02, 0.0]])
    result = run_md(atoms, one_model, settings(timestep_fs=1.0), "openmm", **EXACT)
    np.testing.assert_allclose(result.atoms.positions[:, 1], [0.4 * units.fs, -0.4 * units.fs], rtol=1e-6)
    np.testing.assert_allclose(result.atoms.get_momenta(), atoms.get_momenta(), atol=1e-9)
    assert result.kinetic[-1] == pytest.approx(atoms.get_kinetic_energy(), rel=1e-4)  # masses of another table


def test_isotopes_are_as_heavy_as_in_ase(one_model):
    heavy = load_structure("ethanol")
    heavy.set_masses(np.where(heavy.numbers == 1, 2.014, heavy.get_masses()))
    temperatures = [run_md(heavy, one_model, settings(steps=5), engine, **options).temperature[0]
                    for engine, options in (("ase", {}), ("openmm", EXACT))]  # fmt: skip
    assert temperatures[0] == pytest.approx(temperatures[1], rel=2e-2)


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_resumed_runs_continue_exactly(tmp_path, one_model, ensemble):
    start = load_structure("ethanol")
    chosen = settings(ensemble=ensemble)
    whole = run_md(start, one_model, chosen, "openmm", outputs_in(tmp_path / "whole"), **EXACT)
    outputs = outputs_in(tmp_path / "parts")
    run_md(start, one_model, settings(ensemble=ensemble, steps=10), "openmm", outputs, **EXACT)
    resumed = run_md(start, one_model, chosen, "openmm", outputs, resume=True, **EXACT)
    np.testing.assert_array_equal(resumed.total, whole.total)
    np.testing.assert_array_equal(resumed.atoms.positions, whole.atoms.positions)


def test_seeds_make_different_paths(one_model):
    start = load_structure("ethanol")
    one, same, other = (
        run_md(start, one_model, settings(ensemble="nvt", seed=seed), "openmm", **EXACT).total for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_checkpoint_of_another_engine_or_platform_is_refused(tmp_path, one_model):
    start, outputs = load_structure("ethanol"), outputs_in(tmp_path)
    run_md(start, one_model, settings(), "openmm", outputs, platform="Reference")
    with pytest.raises(ConfigError, match="engine"):
        run_md(start, one_model, settings(), "ase", outputs, resume=True)
    with pytest.raises(ConfigError, match="same machine and platform"):
        run_md(start, one_model, settings(), "openmm", outputs, resume=True, platform="CPU")


def test_a_simulation_that_explodes_stops_with_the_cause(tmp_path, one_model):
    outputs = outputs_in(tmp_path)
    wild = settings(timestep_fs=500.0, temperature=5000.0, steps=200)
    with pytest.raises(SimulationError, match=r"stopped after step \d+ because .* is in .*last_good.xyz"):
        run_md(load_structure("ethanol"), one_model, wild, "openmm", outputs, **EXACT)
    assert (tmp_path / "last_good.xyz").is_file()


def test_platforms_and_precisions(one_model):
    start = load_structure("ethanol")
    with pytest.raises(EngineUnavailableError, match="no platform 'Abacus'"):
        run_md(start, one_model, settings(), "openmm", platform="Abacus")
    with pytest.raises(ConfigError, match="name the platform too"):
        run_md(start, one_model, settings(), "openmm", precision="mixed")


def test_what_openmm_cannot_do(one_model):
    slab = box()
    slab.pbc = [True, True, False]
    with pytest.raises(StructureError, match="all directions or in none"):
        run_md(slab, one_model, settings(), "openmm")
    charged = load_structure("ethanol")
    charged.info["charge"] = 1
    with pytest.raises(StructureError, match="charge"):
        run_md(charged, one_model, settings(), "openmm")
    with pytest.raises(CheckpointError, match="No model 'nothing'"):
        run_md(load_structure("ethanol"), "nothing", settings(), "openmm")


def approaching():
    """Two ethanols that fly towards each other: the number of edges grows."""
    atoms = load_structure("ethanol")
    other = atoms.copy()
    other.translate([11.0, 0.5, 0.5])
    towards = np.repeat([[0.3, 0.0, 0.0], [-0.3, 0.0, 0.0]], len(atoms), axis=0)
    both = atoms + other
    both.set_velocities(towards)
    return both


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_lists_of_fixed_length_take_the_same_path_and_grow(model, ensemble, monkeypatch):
    """With room for the first edges alone, the engine must go back at least once; nothing of that is seen outside."""
    from sakeff.drivers import md_openmm

    monkeypatch.setattr(md_openmm, "FIRST_ROOM", 1.0)
    chosen = settings(ensemble=ensemble, steps=60, timestep_fs=1.0)
    usual = run_md(approaching(), model, chosen, "openmm", **EXACT)
    fixed = run_md(approaching(), model, chosen, "openmm", cuda_graphs=True, **EXACT)
    np.testing.assert_allclose(fixed.atoms.positions, usual.atoms.positions, atol=1e-8)
    np.testing.assert_allclose(fixed.total, usual.total, atol=1e-7)


def test_the_lists_did_grow(model, monkeypatch):
    from sakeff.drivers import md_openmm

    monkeypatch.setattr(md_openmm, "FIRST_ROOM", 1.0)
    engine = md_openmm.OpenmmEngine(approaching(), model, settings(timestep_fs=1.0), cuda_graphs=True, **EXACT)
    engine.advance(60)
    assert engine.growths > 0
    again = md_openmm.OpenmmEngine(approaching(), model, settings(timestep_fs=1.0), cuda_graphs=True, **EXACT)
    again.restore(engine.state())
    assert again.snapshot().potential == pytest.approx(engine.snapshot().potential, abs=1e-9)


def test_atoms_without_neighbours_find_some(one_model):
    """From no edge at all to all pairs within one call."""
    from sakeff.drivers.md_openmm import OpenmmEngine

    corners = 9.0 * np.array([[1.0, 0.0, 0.0], [-0.5, 0.866, 0.0], [-0.5, -0.866, 0.0]])
    atoms = Atoms("CCC", corners)
    atoms.set_velocities(-0.05 * corners)
    chosen = settings(timestep_fs=1.0)
    usual = OpenmmEngine(atoms, one_model, chosen, **EXACT)
    fixed = OpenmmEngine(atoms, one_model, chosen, cuda_graphs=True, **EXACT)
    for engine in (usual, fixed):
        engine.advance(150)
    assert fixed.snapshot().potential == pytest.approx(usual.snapshot().potential, abs=1e-8)
    np.testing.assert_allclose(fixed.snapshot().positions, usual.snapshot().positions, atol=1e-8)


def test_explosions_end_with_lists_of_fixed_length_too(model):
    with pytest.raises(SimulationError):
        run_md(load_structure("ethanol"), model, settings(timestep_fs=500.0), "openmm", cuda_graphs=True, **EXACT)
