"""The comparison with GFN2-xTB: frequencies and scans of toys, the committed references, and the committed document."""

import argparse
import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones
from scipy import constants
from scipy.spatial.transform import Rotation

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import quality
from evaluations import references
from evaluations.approach import (
    JUMP,
    Approach,
    attraction_error,
    contact_distance,
    has_hole,
    largest_fall,
    largest_jump,
)
from evaluations.comparisons import compared, flags, halved, molecules
from evaluations.tables import quality_tables, total_rmse
from evaluations.vibrations import frequencies, hessian

from sakeff import SAKECalculator
from sakeff.data.frames import load
from sakeff.errors import DataError
from sakeff.export.checks import CLOSEST
from sakeff.structures import load_structure
from sakeff.zoo import list_models
from tests.small_models import small_model

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "models" / "quality.json"
TEST_SET = ROOT / "models" / "test_sets" / "gfn2" / "test.npz"
RIGID = {"c1ccc2nnccc2c1", "C1CN2CCN1C2"}  # cinnoline, 1,4-diazabicyclo[2.2.1]heptane
MODELS = {"so3krates-gfn2", "sake-gfn2"}
CODATA = 1e-8  # ASE and SciPy take their constants from different editions
GRID = np.round(np.arange(6.0, 1.799, -0.05), 6)


class Springs(Calculator):
    """0.5 k (r - r0)^2 of the given pairs."""

    implemented_properties = ("energy", "forces")

    def __init__(self, pairs, stiffness, length):
        super().__init__()
        self.pairs, self.stiffness, self.length = pairs, stiffness, length

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for i, j in self.pairs:
            vector = atoms.positions[j] - atoms.positions[i]
            distance = np.linalg.norm(vector)
            energy += 0.5 * self.stiffness * (distance - self.length) ** 2
            pull = self.stiffness * (distance - self.length) * vector / distance
            forces[i] += pull
            forces[j] -= pull
        self.results = {"energy": energy, "forces": forces}


class Curve(Calculator):
    """Two atoms with an energy of their distance; the force is its derivative, given beside it."""

    implemented_properties = ("energy", "forces")

    def __init__(self, energy, slope):
        super().__init__()
        self.energy, self.slope = energy, slope

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}
        if len(atoms) == 2:
            distance = atoms.positions[1, 0] - atoms.positions[0, 0]
            self.results["energy"] = float(self.energy(distance))
            self.results["forces"][:, 0] = self.slope(distance) * np.array([1.0, -1.0])


def wave_number(stiffness, mass):
    """1/cm, from SI constants alone."""
    newton_per_metre = stiffness * constants.e * 1e20
    return np.sqrt(newton_per_metre / (mass * constants.atomic_mass)) / (2 * np.pi * constants.c * 100)


def morse(distance, depth=0.08, steepness=1.6, at=3.2):
    """Energy and slope."""
    decay = np.exp(-steepness * (distance - at))
    return depth * (decay**2 - 2 * decay), 2 * depth * steepness * (decay - decay**2)


def toy_scan(extra=lambda r: (0.0, 0.0)):
    """The comparison of a Morse curve plus something with the Morse curve."""
    energies = morse(GRID)[0]
    reference = references.PairScan(
        "He-He", "any", Atoms("He"), Atoms("He"), GRID, energies, contact_distance(GRID, energies)
    )
    return compared(reference, Curve(lambda r: morse(r)[0] + extra(r)[0], lambda r: morse(r)[1] + extra(r)[1]))


def gaussian(height, at, width):
    def energy_and_slope(r):
        value = height * np.exp(-0.5 * ((r - at) / width) ** 2)
        return value, -value * (r - at) / width**2

    return energy_and_slope


# ---------------------------------------------------------------- frequencies


def test_diatomic():
    atoms = Atoms("CO", [[0.0, 0.0, 0.0], [1.13, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], 118.0, 1.13)
    reduced = atoms.get_masses().prod() / atoms.get_masses().sum()
    assert frequencies(atoms) == pytest.approx([wave_number(118.0, reduced)], rel=CODATA)
    assert 2000 < frequencies(atoms)[0] < 2300


def test_triangle_turned_and_moved():
    """Equal masses: one breathing mode, 3k/m, and two deformations, 3k/2m."""
    corners = np.array([[0.0, 0.0, 0.0], [1.1, 0.0, 0.0], [0.55, 1.1 * np.sqrt(0.75), 0.0]])
    positions = Rotation.random(rng=np.random.default_rng(0)).apply(corners) + 5.0
    atoms = Atoms("N3", positions)
    atoms.calc = Springs([(0, 1), (1, 2), (0, 2)], 40.0, 1.1)
    mass = atoms.get_masses()[0]
    expected = [wave_number(1.5 * 40.0, mass)] * 2 + [wave_number(3 * 40.0, mass)]
    assert frequencies(atoms) == pytest.approx(expected, rel=1e-4)


def test_linear_molecule_has_four_vibrations():
    atoms = Atoms("OCO", [[-1.16, 0.0, 0.0], [0.0, 0.0, 0.0], [1.16, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1), (1, 2)], 95.0, 1.16)
    oxygen, carbon = atoms.get_masses()[:2]
    found = frequencies(atoms)
    assert len(found) == 4
    stretches = [wave_number(95.0, oxygen), wave_number(95.0, 1 / (1 / oxygen + 2 / carbon))]
    assert found[2:] == pytest.approx(stretches, rel=CODATA)


def test_a_saddle_point_is_told_by_its_sign():
    atoms = Atoms("N2", [[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], -50.0, 1.1)
    assert frequencies(atoms) == pytest.approx([-wave_number(50.0, atoms.get_masses()[0] / 2)], rel=CODATA)


def test_the_structure_stays_where_it_was():
    atoms = Atoms("N2", [[0.0, 0.0, 0.0], [1.1, 0.0, 0.0]])
    atoms.calc = Springs([(0, 1)], 50.0, 1.1)
    before = atoms.positions.copy()
    assert hessian(atoms).shape == (6, 6)
    np.testing.assert_array_equal(atoms.positions, before)


def test_molecules_are_relaxed_before_they_vibrate():
    """From a stretched start, to the minimum; half as stiff as the reference."""
    start = Atoms("N2", [[0.0, 0.0, 0.0], [1.2, 0.0, 0.0]])
    stiff = wave_number(100.0, start.get_masses()[0] / 2)
    reference = references.Minimum("N#N", start, 0.0, 0.0, np.array([stiff]))
    (found,) = molecules(Springs([(0, 1)], 50.0, 1.1), [reference], say=lambda text: None)
    assert found["converged"]
    assert found["rmsd_A"] == pytest.approx(0.05, abs=1e-4)
    assert found["frequency_mae_per_cm"] == pytest.approx(stiff * (1 - np.sqrt(0.5)), abs=0.1)
    assert found["imaginary"] == 0


# ---------------------------------------------------------------- approach


def test_force_is_the_derivative_of_the_energy():
    calculator = LennardJones(epsilon=0.02, sigma=2.4, rc=30.0)
    first, second = molecule("H2O"), molecule("CH4")
    for one in (first, second):
        one.positions -= one.get_center_of_mass()
    approach = Approach(first, second, calculator)
    energies, forces = approach(np.array([3.5 - 1e-4, 3.5, 3.5 + 1e-4]))
    assert forces[1] == pytest.approx((energies[0] - energies[2]) / 2e-4, rel=1e-6)
    assert approach(np.array([29.0]))[0][0] == pytest.approx(0.0, abs=1e-6)


def test_a_sound_scan():
    found = toy_scan()
    assert flags(found) == []
    assert found["attraction_rmse_eV"] == 0.0
    assert found["jump_eV_per_A2"] < JUMP
    np.testing.assert_allclose(found["energies_eV"], morse(GRID)[0], atol=1e-6)


def test_a_planted_hole():
    found = toy_scan(gaussian(-1.5, 2.4, 0.05))
    assert found["hole"]
    assert not found["kink"]
    assert found["fall_inside_contact_eV"] > 0.5


def test_a_hole_is_deeper_than_twice_the_well():
    reference = np.array([0.0, -0.1, 0.3])
    assert not has_hole(np.array([0.0, -0.249, 0.3]), reference)
    assert has_hole(np.array([0.0, -0.251, 0.3]), reference)
    assert has_hole(np.array([0.0, -0.051]), np.array([0.02, 0.4]))


@pytest.mark.parametrize(("at", "jump"), [(4.5123, 1e-3), (2.3077, 0.5), (5.7, 1e-4)])
def test_a_planted_jump_of_the_curvature(at, jump):
    found = toy_scan(lambda r: (0.5 * jump * min(r - at, 0.0) ** 2, jump * min(r - at, 0.0)))
    assert found["kink"]
    assert found["jump_at_A"] == pytest.approx(at, abs=1e-3)
    assert 0.2 * jump < found["jump_eV_per_A2"] < 1.1 * jump


def test_a_planted_jump_of_the_force():
    found = toy_scan(lambda r: (1e-4 * max(4.0 - r, 0.0), -1e-4 * (r < 4.0)))
    assert found["kink"]
    assert found["jump_at_A"] == pytest.approx(4.0, abs=1e-3)
    assert found["jump_eV_per_A2"] > 0.1


def test_a_smooth_end_is_no_kink():
    """What this package's envelopes leave: value, slope and curvature vanish together, the third derivative jumps."""
    found = toy_scan(lambda r: (5.0 * max(5.0 - r, 0.0) ** 3, -15.0 * max(5.0 - r, 0.0) ** 2))
    assert not found["kink"]


def test_a_steep_wall_is_no_kink():
    grid = halved(GRID)

    def force(r):
        return 4.0 * np.exp(-4.0 * (r - 2.2))

    size, _ = largest_jump(force, grid, force(grid))
    assert size < JUMP


def test_a_planted_bump_in_the_wall():
    found = toy_scan(gaussian(0.3, 2.7, 0.05))
    assert not found["hole"]
    energies = morse(halved(GRID))[0] + gaussian(0.3, 2.7, 0.05)(halved(GRID))[0]
    wall = energies[halved(GRID) <= 2.7]
    assert found["fall_inside_contact_eV"] == pytest.approx(wall[0] - wall.min(), abs=2e-3)
    assert flags(found)[0].startswith("wall falls")


def test_falls_count_inside_contact_only():
    distances, energies = np.array([4.0, 3.0, 2.0, 1.0]), np.array([0.0, -0.2, 0.5, 0.4])
    assert largest_fall(distances, energies, 2.5) == pytest.approx(0.1)
    assert largest_fall(distances, energies, 5.0) == pytest.approx(0.2)
    assert largest_fall(distances[:3], energies[:3], 2.5) == 0.0


def test_contact():
    distances = np.array([4.0, 3.0, 2.0, 1.0])
    assert contact_distance(distances, np.array([0.0, -0.2, 0.2, 5.0])) == pytest.approx(2.5)
    assert contact_distance(distances, np.array([0.01, 0.05, 0.15, 5.0])) == pytest.approx(2.5)
    with pytest.raises(DataError, match="further inwards"):
        contact_distance(distances, np.array([0.0, -0.2, -0.1, 0.05]))
    with pytest.raises(DataError, match="further outwards"):
        contact_distance(distances, np.array([0.2, 0.3, 0.5, 1.0]))


def test_error_where_the_reference_attracts():
    distances, reference = np.array([4.0, 3.0, 2.0]), np.array([0.1, -0.1, -0.2])
    energies = reference + np.array([5.0, 0.03, 7.0])
    assert attraction_error(distances, energies, reference, 2.5) == pytest.approx(0.03)
    assert attraction_error(distances, energies, np.abs(reference), 2.5) is None


# ---------------------------------------------------------------- references


def test_conformers_are_the_bundled_minima():
    minima = references.read_conformers(references.FOLDER)
    assert set(minima) == {"riboflavin", "ala10_helix", "ala10_extended"}
    for name, entry in minima.items():
        bundled = load_structure(f"{name}_gfn2")
        assert entry["energy_eV"] == pytest.approx(bundled.get_potential_energy(), abs=1e-4)
        assert entry["fmax_eV_per_A"] <= 0.005
        assert np.linalg.norm(bundled.get_forces(), axis=1).max() == pytest.approx(entry["fmax_eV_per_A"], abs=3e-4)


def test_molecules_are_minima_with_all_their_frequencies():
    found = references.read_molecules(references.FOLDER)
    assert len({one.smiles for one in found}) == len(found) == 10
    for one in found:
        assert len(one.atoms) <= 23
        assert one.fmax <= 0.001
        assert len(one.frequencies) == 3 * len(one.atoms) - 6
        assert (np.diff(one.frequencies) >= 0).all()
        assert one.frequencies[0] > 0
        assert 2800 < one.frequencies[-1] < 4000


def test_molecules_are_held_out():
    pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
    from gfn2 import molecules as enumerated
    from gfn2 import splits
    from rdkit import Chem

    roles = splits.assign(enumerated.enumerate_molecules(), enumerated.SEED)
    for one in references.read_molecules(references.FOLDER):
        assert roles[one.smiles] == "test"
        mol = Chem.AddHs(Chem.MolFromSmiles(one.smiles))
        assert [atom.GetAtomicNum() for atom in mol.GetAtoms()] == one.atoms.numbers.tolist()


def test_rigid_minima_are_the_floor_of_the_test_set():
    """A molecule of one shape: its frames, labelled in another run, lie above, and its relaxations end just above."""
    frames = load(TEST_SET)
    names = frames.group_names[frames.group]
    lowest = {
        one.smiles: frames.energy[names == one.smiles].min() - one.energy
        for one in references.read_molecules(references.FOLDER)
        if one.smiles in RIGID and one.smiles in names
    }
    assert lowest
    assert all(-1e-4 < difference < 2e-3 for difference in lowest.values()), lowest


def test_all_pairs_from_six_angstrom_into_the_wall():
    scans = references.read_pairs(references.FOLDER)
    pairs = ["-".join(pair) for pair in itertools.combinations_with_replacement(("H2O", "CH4", "NH3", "CO", "N2"), 2)]
    orientations = ("deepest", "median", "shallowest")
    assert [(one.pair, one.orientation) for one in scans] == list(itertools.product(pairs, orientations))
    for one in scans:
        assert one.distances[0] == 6.0
        np.testing.assert_allclose(np.diff(one.distances), -0.05, atol=1e-9)
        assert one.energies[-1] > 1.0
        assert one.contact == pytest.approx(contact_distance(one.distances, one.energies), abs=1e-5)
        assert largest_fall(one.distances, one.energies, one.contact) == 0.0
        innermost = one.second.positions + [one.distances[-1], 0.0, 0.0]
        assert np.linalg.norm(one.first.positions[:, None] - innermost, axis=-1).min() > 2 * CLOSEST


def test_pairs_are_rigid_and_centred():
    seen = {}
    for one in references.read_pairs(references.FOLDER):
        for atoms in (one.first, one.second):
            np.testing.assert_allclose(atoms.get_center_of_mass(), 0.0, atol=1e-5)
            shape = seen.setdefault(atoms.get_chemical_formula(), atoms.get_all_distances())
            np.testing.assert_allclose(atoms.get_all_distances(), shape, atol=1e-5)
    assert set(seen) == {"H2O", "CH4", "H3N", "CO", "N2"}


def test_references_once_more():
    """One energy of a scan and the frequencies of the smallest molecule, by the program itself."""
    pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")
    import make_gfn2_references as maker

    scan = references.read_pairs(references.FOLDER)[0]
    approach = Approach(scan.first, scan.second, maker.calculator())
    np.testing.assert_allclose(approach(scan.distances[::20])[0], scan.energies[::20], atol=2e-5)
    smallest = min(references.read_molecules(references.FOLDER), key=lambda one: len(one.atoms))
    smallest.atoms.calc = maker.calculator()
    np.testing.assert_allclose(frequencies(smallest.atoms), smallest.frequencies, atol=0.5)


def test_missing_references(tmp_path):
    with pytest.raises(DataError, match="make_gfn2_references"):
        references.read_pairs(tmp_path)


# ---------------------------------------------------------------- documents


@pytest.fixture(scope="module")
def document():
    return quality.read_document(DOCUMENT)


def test_the_document_is_about_the_bundled_models(document):
    assert set(document["models"]) >= MODELS
    for name, entry in document["models"].items():
        assert name in list_models()
        assert entry["weights_sha256"] == quality.weights_sha256(name)
        assert entry["references_sha256"] == references.fingerprint(references.FOLDER)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_scan_once_more(document, name):
    scan, entry = references.read_pairs(references.FOLDER)[0], document["models"][name]["pairs"][0]
    energies, _ = Approach(scan.first, scan.second, SAKECalculator(name))(scan.distances)
    np.testing.assert_allclose(energies, entry["energies_eV"], atol=5e-6)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_numbers_follow_from_the_energies(document, name):
    entry = document["models"][name]
    for scan, one in zip(references.read_pairs(references.FOLDER), entry["pairs"], strict=True):
        energies = np.array(one["energies_eV"])
        assert (one["pair"], one["orientation"]) == (scan.pair, scan.orientation)
        error = attraction_error(scan.distances, energies, scan.energies, scan.contact)
        assert one["attraction_rmse_eV"] == pytest.approx(error, abs=2e-6)
        assert one["hole"] >= has_hole(energies, scan.energies)
        assert one["fall_inside_contact_eV"] >= largest_fall(scan.distances, energies, scan.contact) - 2e-6
    for reference, one in zip(references.read_molecules(references.FOLDER), entry["molecules"], strict=True):
        mae = np.abs(np.array(one["frequencies_per_cm"]) - reference.frequencies).mean()
        assert one["frequency_mae_per_cm"] == pytest.approx(mae, abs=0.01)


def test_tables_show_the_document(document):
    text = quality_tables(document)
    for name, entry in document["models"].items():
        assert f"| `{name}` | {entry['relaxations']['riboflavin']['rmsd_A']:.3f}" in text
        assert f"| {1000 * total_rmse(entry['pairs']):.1f} |" in text
    assert "| GFN2-xTB | 0 | 0 | 0 | -1.241 |" in text
    assert text.count("\n| H2O-") == 5


def test_a_model_that_is_half_done_is_in_no_table(document):
    name = sorted(MODELS)[0]
    half = {"models": {**document["models"], "half/model": {"relaxations": {}}}}
    assert quality_tables(half) == quality_tables(document)
    assert f"`{name}`" in quality_tables(half)


def test_a_finished_document_is_kept(tmp_path, capsys):
    out, picture = tmp_path / "quality.json", tmp_path / "pairs.png"
    shutil.copy(DOCUMENT, out)
    assert quality.main(["--models", *sorted(MODELS), "--out", str(out), "--plot", str(picture)]) == 0
    assert out.read_bytes() == DOCUMENT.read_bytes()
    assert picture.stat().st_size > 10_000
    page = (tmp_path / "quality.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out.strip() == page.strip()
    assert page == (quality.PLOT.parent / "quality.md").read_text(encoding="utf-8")


def test_parts_are_made_once_for_the_same_weights(tmp_path):
    folder, calls = small_model(tmp_path / "runs" / "model"), []
    parts = {"first": lambda calculator: calls.append("first"), "second": lambda calculator: calls.append("second")}
    options = argparse.Namespace(out=tmp_path / "quality.json", references=references.FOLDER)
    quality.assess(str(folder), {"first": parts["first"]}, quality.read_document(options.out), options)
    quality.assess(str(folder), parts, quality.read_document(options.out), options)
    assert calls == ["first", "second"]
    shutil.rmtree(folder)
    small_model(tmp_path / "runs" / "model", "sake")
    quality.assess(str(folder), parts, quality.read_document(options.out), options)
    assert calls == ["first", "second"] * 2
    assert list(json.loads(options.out.read_text())["models"]) == ["runs/model"]


def test_a_users_mistakes(tmp_path, capsys):
    assert quality.main(["--models", "nonsense", "--out", str(tmp_path / "quality.json")]) == 2
    assert "No model 'nonsense'" in capsys.readouterr().err
    for text in ("no json", '{"format": 99}', "[]"):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(DataError, match="choose another --out"):
            quality.read_document(tmp_path / "other.json")
