"""Committees: mean and deviation against numpy over the members, who may sit together, and the habits of ASE."""

import copy
import pickle
import re

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces
from ase.db import connect
from ase.io.trajectory import Trajectory
from ase.optimize import BFGS

from sakeff.checkpoint import load_checkpoint
from sakeff.config import build_potential
from sakeff.engines.ase import SAKECalculator
from sakeff.engines.committee import check_alike, combined, force_deviation
from sakeff.engines.openmm import openmm_force
from sakeff.errors import ConfigError, StructureError
from sakeff.export.torchscript import export_program
from tests.contract.architectures import random_case
from tests.engines.runners import to_atoms
from tests.helpers import ethanol, random_numbers, triclinic_box
from tests.small_models import small_model

OPEN, BOX = to_atoms(ethanol()), to_atoms(triclinic_box())


def with_calculator(atoms, model, **options):
    atoms = atoms.copy()
    atoms.calc = SAKECalculator(model, **options)
    return atoms


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Models of different architecture and weights."""
    folder = tmp_path_factory.mktemp("members")
    second = load_checkpoint(small_model(folder / "b", "so3krates", width=24))
    other_seed = build_potential(second.config, seed=11).double().eval()
    return [small_model(folder / "a", "sake"), second.potential, other_seed]


@pytest.mark.parametrize("atoms", [OPEN, BOX], ids=["open", "periodic"])
def test_mean_and_deviation_of_the_members(three, atoms):
    together = with_calculator(atoms, three)
    alone = [with_calculator(atoms, model) for model in three]
    energies = [one.get_potential_energy() for one in alone]
    forces = np.array([one.get_forces() for one in alone])
    assert together.get_potential_energy() == pytest.approx(np.mean(energies), rel=1e-14)
    np.testing.assert_allclose(together.get_forces(), forces.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(
        together.get_potential_energies(), np.mean([one.get_potential_energies() for one in alone], axis=0), rtol=1e-13
    )
    if atoms.pbc.any():
        stress = np.mean([one.get_stress() for one in alone], axis=0)
        np.testing.assert_allclose(together.get_stress(), stress, atol=1e-14)
    else:
        assert "stress" not in together.calc.results
    results = together.calc.results
    assert isinstance(results["energy"], float)
    assert results["free_energy"] == results["energy"]
    assert results["energy_std"] == pytest.approx(np.std(energies, ddof=1), rel=1e-9)
    squared = ((forces - forces.mean(axis=0)) ** 2).sum(axis=(0, 2))
    np.testing.assert_allclose(results["forces_std"], np.sqrt(squared / (3 * (len(three) - 1))), rtol=1e-9)
    assert results["forces_std"].shape == (len(atoms),)
    assert results["forces_std"].min() > 0


def test_the_deviation_estimates_the_spread_of_a_component():
    forces = 0.7 * random_numbers(1, 5, 20000, 3).numpy()
    assert (force_deviation(forces) ** 2).mean() == pytest.approx(0.49, rel=0.01)


def test_the_deviation_does_not_depend_on_the_orientation():
    forces = random_numbers(2, 4, 10, 3).numpy()
    turn = np.linalg.qr(random_numbers(3, 3, 3).numpy())[0]
    np.testing.assert_allclose(force_deviation(forces @ turn), force_deviation(forces), rtol=1e-12)


def test_identical_members_do_not_deviate(three):
    twins = with_calculator(OPEN, [three[1], three[1], three[1]])
    np.testing.assert_allclose(twins.get_forces(), with_calculator(OPEN, three[1]).get_forces(), atol=1e-14)
    assert twins.calc.results["energy_std"] == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(twins.calc.results["forces_std"], 0.0, atol=1e-14)


def test_mean_forces_are_derivatives_of_the_mean_energy(three):
    atoms = with_calculator(OPEN, three, kernels="reference")
    numerical = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 5])
    np.testing.assert_allclose(atoms.get_forces()[[0, 5]], numerical, atol=1e-6)


def test_one_model_has_no_deviation(three):
    atoms = with_calculator(OPEN, three[0])
    atoms.get_forces()
    assert not {"energy_std", "forces_std"} & set(atoms.calc.results)
    with pytest.raises(PropertyNotImplementedError):
        atoms.calc.get_property("forces_std", atoms)
    assert combined([atoms.calc.results]) is atoms.calc.results


@pytest.mark.parametrize("count", [0, 1])
def test_a_committee_has_two_members_or_more(three, count):
    with pytest.raises(ConfigError, match=f"committee of {count} has no deviation; list two"):
        SAKECalculator(three[:count])


def headers(potential, **changes):
    header = SAKECalculator(potential, kernels="reference").header
    return [header, header.model_copy(update=changes)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"elements": [1, 8]}, r"different elements \(\[1, 6, 7, 8\] and \[1, 8\]\)"),
        ({"charges": [0.0, 1.0]}, "different charges"),
        ({"spins": [1.0]}, "different spins"),
    ],
)
def test_members_were_trained_for_the_same(three, changes, sentence):
    with pytest.raises(ConfigError, match=sentence) as caught:
        check_alike(headers(three[1], **changes))
    assert re.fullmatch(r"[^\n]+; use models trained for the same\.", str(caught.value))


def test_levels_of_theory_do_not_mix_but_may_be_unknown(three):
    one, two = headers(three[0], level_of_theory="MP2")
    with pytest.raises(ConfigError, match=r"different levels of theory \(MP2, random numbers\)"):
        check_alike([one, two])
    check_alike([one, one.model_copy(update={"level_of_theory": None, "cutoffs": [None], "dtype": "float32"})])
    check_alike([one, one.model_copy(update={"level_of_theory": "unknown"})])


def test_other_elements_are_refused_when_the_calculator_is_made(three):
    config = load_checkpoint(three[0]).config
    other = build_potential(config.model_copy(update={"elements": [1, 8]}), seed=1).double().eval()
    with pytest.raises(ConfigError, match="different elements"):
        SAKECalculator([three[0], other])


def test_exported_files_sit_beside_checkpoints(three, tmp_path):
    export_program(three[1], tmp_path / "program.pt", {}, dtype="float64")
    atoms = with_calculator(OPEN, (three[0], tmp_path / "program.pt"))
    expected = np.mean([with_calculator(OPEN, model).get_forces() for model in (three[0], three[1])], axis=0)
    np.testing.assert_allclose(atoms.get_forces(), expected, atol=1e-6)


def test_results_follow_the_state_and_are_cached(three):
    atoms = with_calculator(OPEN, three)
    atoms.get_forces()
    first = atoms.calc.results
    atoms.get_potential_energy()
    assert atoms.calc.results is first
    atoms.rattle(0.02, seed=1)
    assert not np.allclose(atoms.calc.get_property("forces_std", atoms), first["forces_std"])
    atoms.info["charge"] = 1
    assert "info" in atoms.calc.check_state(atoms)
    with pytest.raises(StructureError, match="not trained for a total charge"):
        atoms.get_potential_energy()
    assert atoms.calc.results == {}


def test_no_member_answers_alone_where_another_refuses():
    """A committee with a model of all pairs has no number for a periodic structure, not that of the local model."""
    local, nonlocal_ = random_case("so3krates").potential, random_case("so3krates-nonlocal").potential
    for model in ([local, nonlocal_], [nonlocal_, local]):
        atoms = with_calculator(BOX, model)
        for _ in range(2):
            with pytest.raises(StructureError, match="open structures"):
                atoms.get_potential_energy()
            assert atoms.calc.results == {}


@pytest.mark.parametrize("through", [copy.deepcopy, lambda calculator: pickle.loads(pickle.dumps(calculator))])
def test_committees_can_be_copied(three, through):
    atoms = with_calculator(OPEN, three)
    expected = atoms.get_forces()
    again = OPEN.copy()
    again.calc = through(atoms.calc)
    again.rattle(0.01, seed=2)
    again.positions = OPEN.positions
    np.testing.assert_array_equal(again.get_forces(), expected)
    np.testing.assert_array_equal(again.calc.results["forces_std"], atoms.calc.results["forces_std"])


def test_one_committee_serves_several_structures(three):
    calculator = SAKECalculator(three)
    for atoms in (OPEN, BOX, OPEN):
        shared, own = atoms.copy(), with_calculator(atoms, three)
        shared.calc = calculator
        np.testing.assert_allclose(shared.get_forces(), own.get_forces(), rtol=0, atol=1e-12)


def test_extra_results_do_not_disturb_ase(three, tmp_path):
    atoms = with_calculator(OPEN, three)
    atoms.get_forces()
    found = atoms.get_properties(["energy", "forces"])
    np.testing.assert_array_equal(found["forces"], atoms.get_forces())
    with Trajectory(tmp_path / "a.traj", "w") as trajectory:
        trajectory.write(atoms)
    ase.io.write(tmp_path / "a.xyz", atoms)
    connect(tmp_path / "a.db").write(atoms)
    for back in (ase.io.read(tmp_path / "a.traj"), ase.io.read(tmp_path / "a.xyz"), ase.io.read(tmp_path / "a.db")):
        np.testing.assert_allclose(back.get_forces(), atoms.get_forces(), atol=1e-7)


def test_a_committee_relaxes(three):
    atoms = with_calculator(OPEN, three)
    before = atoms.get_potential_energy()
    BFGS(atoms, logfile=None, maxstep=0.02).run(fmax=1e-6, steps=3)
    assert atoms.get_potential_energy() < before


def test_one_atom_does_not_deviate_in_force(three):
    atoms = with_calculator(Atoms("C", [[0.3, 0.1, 0.2]]), three)
    assert not atoms.get_forces().any()
    assert not atoms.calc.results["forces_std"].any()
    assert atoms.calc.results["energy_std"] > 0


def test_openmm_takes_one_model(three):
    with pytest.raises(ConfigError, match="Only SAKECalculator takes several models; give one here"):
        openmm_force([three[0], three[0]], [6, 8])
