"""Frames: what goes in comes out, what does not fit is refused, equal content has equal hashes."""

import numpy as np
import pytest

from sakeff.data.frames import Frames, concatenate, load
from sakeff.errors import DataError, OutputExistsError

LEVEL = "GFN2-xTB (tblite 0.4)"


def make(sizes=(3, 5, 2), seed=0, groups=("O", "CO", "O"), level=LEVEL) -> Frames:
    rng = np.random.default_rng(seed)
    return Frames.build(
        [rng.integers(1, 9, n) for n in sizes],
        [rng.normal(size=(n, 3)) for n in sizes],
        [rng.normal(size=(n, 3)) for n in sizes],
        rng.normal(size=len(sizes)),
        level,
        groups=groups,
    )


def content(frames: Frames) -> dict:
    names = list(Frames.__dataclass_fields__)
    return {name: np.asarray(getattr(frames, name)) for name in names}


def assert_equal(a: Frames, b: Frames) -> None:
    for name, value in content(a).items():
        np.testing.assert_array_equal(value, content(b)[name], err_msg=name)
        assert value.dtype == content(b)[name].dtype


def test_file_round_trip_keeps_every_bit(tmp_path):
    frames = make()
    frames.save(tmp_path / "a.npz")
    back = load(tmp_path / "a.npz")
    assert_equal(frames, back)
    assert back.sha256() == frames.sha256()
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_periodic_charged_frames_round_trip(tmp_path):
    one = make((2,), groups=("x",))
    frames = Frames(
        **{
            **content(one),
            "cell": np.eye(3)[None] * 7,
            "pbc": np.array([[True, False, True]]),
            "charge": np.array([-1.0]),
            "spin": np.array([1.0]),
            "energy": np.array([np.nan]),
            "level_of_theory": "none",
        }
    )
    frames.save(tmp_path / "a.npz")
    assert_equal(frames, load(tmp_path / "a.npz"))


def test_dtypes_and_sizes():
    frames = make()
    assert (frames.numbers.dtype, frames.group.dtype, frames.offsets.dtype) == (np.int16, np.int32, np.int64)
    assert len(frames) == 3
    assert frames.n_atoms.tolist() == [3, 5, 2]
    assert frames.groups.tolist() == ["O", "CO", "O"]


def test_arrays_are_read_only_and_apart_from_the_callers():
    mine = np.zeros((2, 3))
    frames = Frames.build([np.array([1, 1])], [mine], [mine], [0.0], LEVEL)
    mine += 1.0
    assert not frames.positions.any()
    with pytest.raises(ValueError, match="read-only"):
        frames.positions[0] = 1.0


def test_frame_and_select_pick_the_right_atoms():
    frames = make()
    last = frames.frame(-1)
    np.testing.assert_array_equal(last.positions, frames.positions[8:10])
    assert last.groups.tolist() == ["O"]
    picked = frames.select([2, 0])
    np.testing.assert_array_equal(picked.forces, np.concatenate([frames.forces[8:], frames.forces[:3]]))
    np.testing.assert_array_equal(picked.energy, frames.energy[[2, 0]])
    assert picked.group_names.tolist() == ["O"]
    assert_equal(frames.select(frames.n_atoms > 2), frames.select(slice(0, 2)))
    assert len(frames.select([])) == 0


@pytest.mark.parametrize("index", [3, -4])
def test_frame_out_of_range(index):
    with pytest.raises(DataError, match="3 frames"):
        make().frame(index)


def test_concatenate_joins_groups_by_name():
    a, b = make(), make((4,), seed=1, groups=("CO",))
    both = concatenate([a, b])
    assert both.groups.tolist() == ["O", "CO", "O", "CO"]
    assert_equal(both.select([0, 1, 2]), a)
    assert_equal(both.select([3]), b)


def test_concatenate_refuses_mixed_levels_and_nothing():
    with pytest.raises(DataError, match="levels of theory differ"):
        concatenate([make(), make(level="PBE")])
    with pytest.raises(DataError, match="nothing"):
        concatenate([])


def test_hash_sees_every_field():
    frames = make()
    reference = frames.sha256()
    assert make().sha256() == reference
    changes = {
        "numbers": frames.numbers + 1,
        "positions": np.nextafter(frames.positions, 9.0),
        "forces": -frames.forces,
        "energy": frames.energy + 1e-12,
        "offsets": np.array([0, 4, 8, 10]),
        "cell": frames.cell + 1.0,
        "pbc": ~frames.pbc,
        "charge": frames.charge + 1.0,
        "spin": frames.spin + 1.0,
        "group": frames.group[::-1] * 0,
        "group_names": np.array(["CO", "N"]),
        "level_of_theory": "PBE",
    }
    assert set(changes) == set(Frames.__dataclass_fields__)
    hashes = {Frames(**{**content(frames), name: new}).sha256() for name, new in changes.items()}
    assert len(hashes) == len(changes)
    assert reference not in hashes


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("positions", np.full((10, 3), np.nan), "NaN or infinite"),
        ("forces", np.full((10, 3), np.inf), "NaN or infinite"),
        ("forces", np.zeros((9, 3)), r"\(9, 3\) where \(10, 3\)"),
        ("energy", np.array([0.0, np.inf, 0.0]), "NaN where there is no energy"),
        ("energy", np.zeros(2), "where"),
        ("energy", "much", "cannot be read"),
        ("offsets", np.array([0, 8, 3, 10]), "rise from 0"),
        ("offsets", np.array([0, 3, 3, 10]), "at least one atom"),
        ("offsets", np.array([0, 3, 8, 9]), "rise from 0"),
        ("numbers", np.zeros(10), "no atomic number"),
        ("group", np.array([0, 1, 2]), "outside group_names"),
        ("group_names", np.array(["O", "O"]), "different names"),
        ("cell", np.zeros((3, 3)), "where"),
    ],
)
def test_what_does_not_fit_is_refused(name, value, message):
    with pytest.raises(DataError, match=message):
        Frames(**{**content(make()), name: value})


def test_build_refuses_forces_of_other_length():
    with pytest.raises(DataError, match="forces and numbers differ"):
        Frames.build([np.array([1, 1])], [np.zeros((2, 3))], [np.zeros((1, 3))], [0.0], LEVEL)


def test_existing_file_is_kept_unless_asked(tmp_path):
    path = tmp_path / "a.npz"
    make().save(path)
    with pytest.raises(OutputExistsError, match="exists already"):
        make(seed=1).save(path)
    assert load(path).sha256() == make().sha256()
    make(seed=1).save(path, overwrite=True)
    assert load(path).sha256() == make(seed=1).sha256()


def _rewrite(path, **changes) -> None:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays.update(changes)
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "sakeff-frames-9"}, "format 'sakeff-frames-9'"),
        ({"units": "kcal/mol, angstrom"}, "units 'kcal/mol, angstrom'"),
        ({"format": None}, "no 'format' key"),
        ({"units": None}, "no 'units' key"),
        ({"forces": None, "energy": None}, "lacks forces, energy"),
        ({"numbers": np.array([object()] * 10)}, "no readable npz"),
    ],
)
def test_load_refuses_foreign_files(tmp_path, changes, message):
    path = tmp_path / "a.npz"
    make().save(path)
    _rewrite(path, **changes)
    with pytest.raises(DataError, match=message):
        load(path)


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_load_refuses_a_truncated_file(tmp_path, keep):
    path = tmp_path / "a.npz"
    make().save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="no readable npz"):
        load(path)


def test_load_refuses_a_single_array_and_a_missing_file(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(DataError, match="no readable npz"):
        load(tmp_path / "a.npy")
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "b.npz")
