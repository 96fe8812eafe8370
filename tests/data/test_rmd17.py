import ase.units
import numpy as np
import pytest

from sakeff.data.read import read_frames
from sakeff.data.rmd17 import LABELS, is_rmd17, molecule_name, read_rmd17
from sakeff.errors import ConfigError, DataError
from tests.helpers import shared_folder

KCAL = ase.units.kcal / ase.units.mol  # CODATA 2014, the package uses 2018: they differ by 1e-8


def write_archive(path, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "nuclear_charges": np.array([8, 1, 1]),
        "coords": rng.normal(size=(4, 3, 3)),
        "energies": rng.normal(size=4) - 100.0,
        "forces": rng.normal(size=(4, 3, 3)),
        "old_energies": rng.normal(size=(4, 1)) - 200.0,
        "old_forces": rng.normal(size=(4, 3, 3)),
        **changes,
    }
    arrays = {name: array for name, array in arrays.items() if array is not None}
    np.savez(path, **arrays)
    return arrays


@pytest.mark.parametrize(("labels", "prefix"), [("revised", ""), ("original", "old_")])
def test_both_label_sets_in_ev(tmp_path, labels, prefix):
    path = tmp_path / "rmd17_water_train_01.npz"
    arrays = write_archive(path)
    frames = read_rmd17(path, labels)
    assert len(frames) == 4
    np.testing.assert_allclose(frames.energy, KCAL * arrays[f"{prefix}energies"].ravel(), rtol=1e-7)
    np.testing.assert_allclose(frames.forces.reshape(4, 3, 3), KCAL * arrays[f"{prefix}forces"], rtol=1e-7)
    np.testing.assert_array_equal(frames.positions.reshape(4, 3, 3), arrays["coords"])
    assert set(frames.groups) == {"water"}
    assert labels in frames.level_of_theory


def test_published_indices_pick_frames(tmp_path):
    write_archive(tmp_path / "rmd17_water.npz")
    everything = read_rmd17(tmp_path / "rmd17_water.npz")
    some = read_rmd17(tmp_path / "rmd17_water.npz", indices=np.array([3, 1]))
    np.testing.assert_array_equal(some.energy, everything.energy[[3, 1]])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [({"energies": None}, "lacks energies"), ({"forces": np.zeros((4, 2, 3))}, "download it again")],
)
def test_damaged_archives_are_refused(tmp_path, changes, sentence):
    write_archive(tmp_path / "a.npz", **changes)
    with pytest.raises(DataError, match=sentence):
        read_rmd17(tmp_path / "a.npz")


def test_other_mistakes_are_explained(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match="does not exist"):
        read_rmd17(path)
    write_archive(path)
    with pytest.raises(DataError, match="revised"):
        read_rmd17(path, "newest")
    with pytest.raises(ConfigError, match="does not apply"):
        read_frames(path, energy_key="E")
    path.write_bytes(path.read_bytes()[:100])
    assert not is_rmd17(path)
    with pytest.raises(DataError, match="no readable npz"):
        read_frames(path)


def test_names():
    assert molecule_name(shared_folder() / "rmd17_ethanol_train_01.npz") == "ethanol"


def test_the_public_files():
    path = shared_folder() / "data" / "rmd17" / "rmd17_ethanol_train_01.npz"
    if not path.exists():
        pytest.skip("the rMD17 files are not beside this checkout")
    frames = read_frames(path, labels="original")
    assert len(frames) == 1000
    assert np.unique(frames.n_atoms).tolist() == [9]
    assert frames.energy.mean() == pytest.approx(-4214.8, abs=0.1)
    # Forces of an isolated molecule add up to zero; the original labels are known to be noisy.
    net = [np.abs(read_frames(path, labels=labels).forces.reshape(1000, 9, 3).sum(1)).max() for labels in LABELS]
    assert net[0] < 1e-3 < net[1]
