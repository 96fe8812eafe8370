import copy
import math
import pickle

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS, FIRE, LBFGS
from ase.vibrations import Vibrations

from sakeff.engines.ase import SAKECalculator
from sakeff.errors import SakeffError, StructureError
from sakeff.export.torchscript import export_program
from tests.contract.architectures import random_case
from tests.engines.morse import BOND, cluster, morse_potential
from tests.engines.runners import to_atoms
from tests.helpers import atom, ethanol, triclinic_box

OPEN, BOX = to_atoms(ethanol()), to_atoms(triclinic_box())


@pytest.fixture(scope="module")
def potential():
    return random_case("so3krates").potential


def with_calculator(atoms, model, **options):
    atoms = atoms.copy()
    atoms.calc = SAKECalculator(model, **options)
    return atoms


def test_everything_is_computed_at_once(potential):
    atoms = with_calculator(BOX, potential)
    atoms.get_potential_energy()
    results = atoms.calc.results
    assert set(results) == {"energy", "free_energy", "energies", "forces", "stress"}
    assert results["free_energy"] == results["energy"] == pytest.approx(results["energies"].sum(), rel=1e-12)
    assert results["energies"].shape == (12,)
    assert results["forces"].shape == (12, 3)
    assert results["stress"].shape == (6,)


@pytest.mark.parametrize("name", ["sake", "so3krates"])
def test_forces_and_stress_are_derivatives(name):
    atoms = with_calculator(BOX, random_case(name).potential)
    numerical = calculate_numerical_forces(atoms, eps=1e-4, iatoms=[0, 5])
    np.testing.assert_allclose(atoms.get_forces()[[0, 5]], numerical, atol=1e-6)
    np.testing.assert_allclose(atoms.get_stress(), calculate_numerical_stress(atoms, eps=1e-4), atol=1e-6)


def test_stress_needs_a_periodic_cell_with_a_volume(potential):
    sheet = BOX.copy()
    sheet.pbc = [True, True, False]
    assert with_calculator(sheet, potential).get_stress().shape == (6,)
    sheet.cell[2] = 0
    for atoms in (OPEN, sheet):
        atoms = with_calculator(atoms, potential)
        atoms.get_forces()
        with pytest.raises(PropertyNotImplementedError):
            atoms.get_stress()


def test_results_are_cached_until_something_changes(potential):
    atoms = with_calculator(OPEN, potential)
    atoms.get_forces()
    first = atoms.calc.results
    atoms.get_potential_energy()
    assert atoms.calc.results is first
    atoms.rattle(0.01)
    atoms.get_potential_energy()
    assert atoms.calc.results is not first


@pytest.mark.parametrize("key", ["charge", "spin"])
def test_a_changed_charge_or_spin_invalidates_the_cache(potential, key):
    atoms = with_calculator(OPEN, potential)
    atoms.get_potential_energy()
    atoms.info[key] = 1
    with pytest.raises(StructureError, match="not trained"):
        atoms.get_potential_energy()
    atoms.info[key] = 0
    atoms.get_potential_energy()


def test_charges_and_moments_of_atoms_count():
    potential = random_case("so3krates").potential
    atoms = with_calculator(OPEN, potential)
    atoms.set_initial_charges([0.1234, -0.1239] + [0.0] * 7)
    atoms.get_potential_energy()
    atoms.set_initial_charges([0.5] * 2 + [0.0] * 7)
    with pytest.raises(StructureError, match="total charge of 1"):
        atoms.get_potential_energy()
    radical = with_calculator(molecule("CH3"), potential)
    with pytest.raises(StructureError, match="unpaired"):
        radical.get_potential_energy()


def moved_onto(atoms, one, other, by):
    atoms = atoms.copy()
    atoms.positions[one] = atoms.positions[other] + by
    return atoms


def changed(atoms, **attributes):
    atoms = atoms.copy()
    for name, value in attributes.items():
        setattr(atoms, name, value)
    return atoms


def with_cell(cell):
    atoms = BOX.copy()
    atoms.set_cell(cell)
    return atoms


BAD = {
    "no atoms": (Atoms(), "no atoms"),
    "unknown element": (Atoms("FeO", [[0, 0, 0], [0, 0, 2]]), r"numbers \[26\]"),
    "dummy atom": (Atoms("XO", [[0, 0, 0], [0, 0, 2]]), r"numbers \[0\]"),
    "NaN": (changed(OPEN, positions=np.full((9, 3), math.nan)), "not finite"),
    "infinite": (changed(OPEN, positions=np.full((9, 3), math.inf)), "not finite"),
    "overlap": (moved_onto(OPEN, 1, 0, [0.2, 0.1, 0.0]), "overlap"),
    "overlap with an image": (moved_onto(BOX, 1, 0, 2 * BOX.cell[0] - BOX.cell[1] + 0.1), "overlap"),
    "no volume": (with_cell([0, 0, 0]), "volume"),
    "flat": (with_cell([[4, 0, 0], [0, 4, 0], [4, 4, 0]]), "volume"),
    "charge": (changed(OPEN, info={"charge": -1}), "total charge of -1"),
    "spin": (changed(OPEN, info={"spin": 1}), "unpaired"),
    "charge in words": (changed(OPEN, info={"charge": "neutral"}), "one number"),
}


@pytest.mark.parametrize("source", ["potential", "file"])
@pytest.mark.parametrize("name", BAD)
def test_bad_structures_are_refused_before_any_number(potential, source, name, tmp_path):
    model = potential
    if source == "file":
        model = tmp_path / "program.pt"
        export_program(potential, model, {})
    atoms, sentence = BAD[name]
    atoms = with_calculator(atoms, model)
    with pytest.raises(StructureError, match=sentence) as caught:
        atoms.get_potential_energy()
    assert "\n" not in str(caught.value)
    assert atoms.calc.results == {}


def test_all_pairs_refuse_a_periodic_structure():
    atoms = with_calculator(BOX, random_case("so3krates-nonlocal").potential)
    with pytest.raises(StructureError, match="open structures"):
        atoms.get_potential_energy()


def test_one_atom_has_no_forces(potential):
    atoms = with_calculator(to_atoms(atom()), potential)
    assert not atoms.get_forces().any()


def test_an_exported_file_brings_its_dtype(potential, tmp_path):
    export_program(potential, tmp_path / "program.pt", {}, dtype="float64")
    atoms = with_calculator(OPEN, tmp_path / "program.pt")
    assert atoms.get_potential_energy() == with_calculator(OPEN, potential, kernels="reference").get_potential_energy()
    with pytest.raises(SakeffError, match="exported in float64"):
        SAKECalculator(tmp_path / "program.pt", dtype="float32")


@pytest.mark.parametrize("optimiser", [BFGS, LBFGS, FIRE])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_optimisers_converge(optimiser, dtype):
    atoms = with_calculator(to_atoms(cluster()), morse_potential(), dtype=dtype)
    assert optimiser(atoms, logfile=None).run(fmax=0.005, steps=300)


def test_a_dimer_relaxes_to_the_minimum():
    atoms = with_calculator(Atoms("CO", [[0, 0, 0], [1.4, 0.2, 0.0]]), morse_potential(cutoff=50.0))
    BFGS(atoms, logfile=None).run(fmax=1e-6, steps=200)
    assert atoms.get_distance(0, 1) == pytest.approx(BOND, abs=1e-4)


def test_cells_relax():
    atoms = with_calculator(
        Atoms("C", [[0.1, 0.2, 0.3]], cell=[[1.3, 0, 0], [0.1, 1.2, 0], [0.1, 0, 1.4]], pbc=True),
        morse_potential(steepness=4.0),
    )
    before = atoms.get_potential_energy()
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.005, steps=300)
    assert atoms.get_potential_energy() < before
    assert np.abs(atoms.get_stress()).max() < 0.005


def test_dynamics_conserve_energy():
    atoms = with_calculator(to_atoms(cluster()), morse_potential())
    BFGS(atoms, logfile=None).run(fmax=0.01)
    spread = np.sqrt(300 * units.kB / atoms.get_masses())[:, None]
    atoms.set_velocities(spread * np.random.default_rng(1).normal(size=(5, 3)))
    before = atoms.get_total_energy()
    VelocityVerlet(atoms, timestep=0.25 * units.fs, logfile=None).run(200)
    assert atoms.get_total_energy() == pytest.approx(before, abs=2e-3)


def test_vibrations_of_a_dimer(tmp_path):
    """omega = sqrt(2 D a^2 / mu) for a Morse oscillator."""
    depth, steepness = 2.0, 2.0
    atoms = with_calculator(Atoms("CO", [[0, 0, 0], [BOND, 0, 0]]), morse_potential(depth, steepness, cutoff=200.0))
    vibrations = Vibrations(atoms, name=str(tmp_path / "vibrations"), delta=0.002)
    vibrations.run()
    reduced = 1 / (1 / atoms.get_masses()).sum()
    expected = math.sqrt(2 * depth * steepness**2 / reduced) * units._hbar * 1e10 / math.sqrt(units._e * units._amu)
    assert vibrations.get_energies()[-1].real == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("through", [copy.deepcopy, lambda calculator: pickle.loads(pickle.dumps(calculator))])
def test_calculators_can_be_copied(potential, through):
    atoms = with_calculator(OPEN, potential)
    expected = atoms.get_forces()
    again = OPEN.copy()
    again.calc = through(atoms.calc)
    np.testing.assert_array_equal(again.get_forces(), expected)


def test_one_calculator_serves_several_structures(potential):
    calculator = SAKECalculator(potential)
    for atoms in (OPEN, BOX, OPEN, to_atoms(ethanol(seed=3))):
        shared, own = atoms.copy(), with_calculator(atoms, potential)
        shared.calc = calculator
        np.testing.assert_allclose(shared.get_forces(), own.get_forces(), rtol=0, atol=1e-12)


def test_units_of_results_do_not_follow_the_callers_arrays(potential):
    atoms = with_calculator(OPEN, potential)
    forces = atoms.get_forces()
    forces += 1.0
    assert not np.allclose(atoms.get_forces(), forces)
