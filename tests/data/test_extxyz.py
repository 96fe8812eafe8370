import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from sakeff.data.extxyz import read_extxyz
from sakeff.data.read import read_frames
from sakeff.errors import DataError
from tests.helpers import shared_folder


def labelled(energy="REF_energy", forces="REF_forces", **info):
    atoms = Atoms("OH2", positions=[[0, 0, 0], [0, 0.8, 0.6], [0, -0.8, 0.6]])
    atoms.info.update({energy: -3.25, **info})
    atoms.arrays[forces] = np.arange(9.0).reshape(3, 3)
    return atoms


def write(tmp_path, *structures):
    path = tmp_path / "data.xyz"
    ase.io.write(path, list(structures), format="extxyz")
    return path


@pytest.mark.parametrize("keys", [("REF_energy", "REF_forces"), ("dft_energy", "dft_forces")])
def test_usual_keys_are_found(tmp_path, keys):
    frames = read_frames(write(tmp_path, labelled(*keys, charge=-1, spin=1, smiles="O")))
    assert frames.energy.tolist() == [-3.25]
    np.testing.assert_array_equal(frames.forces, np.arange(9.0).reshape(3, 3))
    assert frames.groups.tolist() == ["O"]
    assert (frames.charge.tolist(), frames.spin.tolist()) == ([-1.0], [1.0])


def test_calculator_results_and_cells(tmp_path):
    atoms = Atoms("NaCl", positions=[[0, 0, 0], [2.8, 0, 0]], cell=[5, 6, 7], pbc=[True, True, False])
    atoms.calc = SinglePointCalculator(atoms, energy=1.5, forces=np.ones((2, 3)))
    frames = read_extxyz(write(tmp_path, atoms), level_of_theory="PBE")
    assert frames.energy.tolist() == [1.5]
    np.testing.assert_array_equal(frames.cell[0], np.diag([5.0, 6.0, 7.0]))
    assert frames.pbc[0].tolist() == [True, True, False]
    assert (frames.groups[0], frames.level_of_theory) == ("ClNa", "PBE")


def test_named_keys_win(tmp_path):
    frames = read_extxyz(write(tmp_path, labelled(my_energy=9.0)), energy_key="my_energy", force_key="REF_forces")
    assert frames.energy.tolist() == [9.0]


@pytest.mark.parametrize(
    ("atoms", "options", "sentence"),
    [
        (labelled(energy="other"), {}, "structure 0 has no energy"),
        (labelled(forces="other"), {}, "structure 0 has no forces"),
        (labelled(), {"energy_key": "E"}, "under 'E'"),
        (labelled(), {"units": "kcal/mol"}, "eV and angstrom"),
        (labelled(units="Hartree"), {}, "'Hartree'"),
    ],
)
def test_missing_labels_and_wrong_units_are_refused(tmp_path, atoms, options, sentence):
    with pytest.raises(DataError, match=sentence):
        read_extxyz(write(tmp_path, atoms), **options)


def both():
    """Labels of two methods: the reference under REF_..., another one as ASE's results."""
    atoms = labelled("REF_energy", "REF_forces")
    atoms.calc = SinglePointCalculator(atoms, energy=1.0, forces=np.zeros((3, 3)))
    return atoms


def test_labels_of_two_methods_do_not_mix(tmp_path):
    """A gap in one is not filled from the other, in no frame, and energies and forces go together."""
    complete = read_extxyz(write(tmp_path, both(), both()))
    for key in ("REF_energy", "REF_forces"):
        gap = both()
        (gap.info if key in gap.info else gap.arrays).pop(key)
        with pytest.raises(DataError, match=f"structure 1 has no .* under '{key}'"):
            read_extxyz(write(tmp_path, both(), gap))
    gap = both()
    gap.info["REF_energy"] = float("nan")
    with pytest.raises(DataError, match="structure 1 has no energy under 'REF_energy'"):
        read_extxyz(write(tmp_path, both(), gap))
    one_each = both()
    del one_each.info["REF_energy"]
    one_each.calc = SinglePointCalculator(one_each, energy=1.0)
    with pytest.raises(DataError, match="name both"):
        read_extxyz(write(tmp_path, one_each))
    named = read_extxyz(write(tmp_path, both()), energy_key="energy", force_key="forces")
    assert named.energy[0] == 1.0 != complete.energy[0]


@pytest.mark.parametrize(
    ("info", "sentence"),
    [({"charge": "neutral"}, "give one number for each"), ({"E": "n/a"}, "has 'n/a' under 'E'")],
)
def test_values_that_are_no_numbers(tmp_path, info, sentence):
    atoms = labelled("REF_energy", "REF_forces", **info)
    with pytest.raises(DataError, match=sentence):
        read_extxyz(write(tmp_path, atoms), **({"energy_key": "E"} if "E" in info else {}))


def test_mixed_levels_are_refused(tmp_path):
    path = write(tmp_path, labelled(level_of_theory="PBE"), labelled(level_of_theory="PBE0"))
    with pytest.raises(DataError, match="mixes levels"):
        read_extxyz(path)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_extxyz(tmp_path / "none.xyz")
    path = tmp_path / "data.xyz"
    path.write_text("3\nProperties=species:S:1:pos:R:3\nO 0 0 0\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_extxyz(path)
    with pytest.raises(DataError, match="suffix"):
        read_frames(tmp_path / "data.pdb")


def test_acetylacetone():
    path = shared_folder() / "data" / "acac" / "train_300K.xyz"
    if not path.exists():
        pytest.skip("the acetylacetone set is not beside this checkout")
    frames = read_frames(path)
    assert len(frames) == 500
    assert frames.energy[0] == pytest.approx(-9391.45554428476)
    assert np.unique(frames.n_atoms).tolist() == [15]
