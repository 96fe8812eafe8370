from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule

from sakeff.drivers.outputs import CsvLog, ExtxyzTrajectory, open_trajectory, writing
from sakeff.errors import OutputError, OutputExistsError

COLUMNS = ("step", "energy_eV")


def test_log_reads_back_exactly_and_cuts_what_came_after_the_mark(tmp_path):
    path = tmp_path / "log.csv"
    log = CsvLog(path, COLUMNS)
    log.write((0, 0.1))
    mark = log.mark()
    log.write((1, 1 / 3))
    log.stream.write(b"2,0.4")  # a torn row of a killed run
    log.close()
    again = CsvLog(path, COLUMNS, mark)
    assert again.previous == [(0.0, 0.1)]
    again.write((1, np.pi))
    again.close()
    assert path.read_text() == f"step,energy_eV\n0,0.1\n1,{np.pi!r}\n"


@pytest.mark.parametrize("name", ["t.xyz", "t.dcd"])
def test_resumed_trajectory_has_no_doubled_frames(tmp_path, name):
    atoms, path = molecule("CH3CH2OH"), tmp_path / name
    file = open_trajectory(path, atoms, interval_ps=0.01)
    for step in range(2):
        file.write(shifted(atoms, step), -1.0, step=step)
    mark = file.mark()
    file.write(shifted(atoms, 2), -1.0, step=2)
    file.close()
    file = open_trajectory(path, atoms, 0.01, mark)
    file.write(shifted(atoms, 7), -1.0, step=7)
    file.close()
    np.testing.assert_allclose(first_x(path), atoms.positions[0, 0] + np.array([0.0, 1.0, 7.0]), atol=1e-5)


def shifted(atoms, distance):
    moved = atoms.copy()
    moved.positions += [distance, 0, 0]
    return moved


def first_x(path):
    if path.suffix == ".xyz":
        return [frame.positions[0, 0] for frame in ase.io.read(path, ":")]
    import mdtraj

    return mdtraj.load(str(path), top=str(path.with_suffix(".pdb"))).xyz[:, 0, 0] * 10


def test_dcd_and_pdb_hold_positions_and_box_in_one_orientation(tmp_path):
    """OpenMM's box is a rotated one where the cell is not in standard form: distances through its faces must stay."""
    import mdtraj

    diamond = bulk("C", "diamond")  # two atoms in a primitive cell, neighbours through every face
    file = open_trajectory(tmp_path / "t.dcd", diamond, 0.01)
    file.write(diamond, 0.0)
    file.close()
    expected = diamond.get_distance(0, 1, mic=True)
    trajectory = mdtraj.load(str(tmp_path / "t.dcd"), top=str(tmp_path / "t.pdb"))
    assert 10.0 * mdtraj.compute_distances(trajectory, [[0, 1]])[0, 0] == pytest.approx(expected, abs=1e-4)
    pdb = ase.io.read(tmp_path / "t.pdb")
    pdb.pbc = True
    assert pdb.get_distance(0, 1, mic=True) == pytest.approx(expected, abs=2e-3)
    third = diamond.get_all_distances(mic=True).max()
    assert pdb.get_all_distances(mic=True).max() == pytest.approx(third, abs=2e-3)


def test_dcd_keeps_the_box(tmp_path):
    import mdtraj

    atoms = molecule("CH3CH2OH", cell=[[11, 0, 0], [1, 12, 0], [-2, 3, 13]], pbc=True)
    file = open_trajectory(tmp_path / "t.dcd", atoms, 0.01)
    file.write(atoms, 0.0)
    file.close()
    read = mdtraj.load(str(tmp_path / "t.dcd"), top=str(tmp_path / "t.pdb"))
    np.testing.assert_allclose(read.unitcell_lengths[0] * 10, atoms.cell.lengths(), rtol=1e-5)
    np.testing.assert_allclose(read.unitcell_angles[0], atoms.cell.angles(), rtol=1e-4)


def test_extxyz_frames_carry_energy_and_info(tmp_path):
    file = ExtxyzTrajectory(tmp_path / "t.xyz")
    file.write(molecule("H2O"), -2.5, np.ones((3, 3)), step=4)
    file.close()
    frame = ase.io.read(tmp_path / "t.xyz")
    assert (frame.get_potential_energy(), frame.info["step"]) == (-2.5, 4)
    np.testing.assert_array_equal(frame.get_forces(), 1.0)


def test_existing_files_are_refused_unless_asked(tmp_path):
    path = tmp_path / "t.xyz"
    path.write_text("precious")
    with pytest.raises(OutputExistsError):
        ExtxyzTrajectory(path)
    assert path.read_text() == "precious"
    ExtxyzTrajectory(path, overwrite=True).close()
    assert path.read_text() == ""


def test_a_file_shorter_than_its_mark_is_not_continued(tmp_path):
    log = CsvLog(tmp_path / "log.csv", COLUMNS)
    log.write((0, 0.1))
    mark = log.mark()
    log.close()
    (tmp_path / "log.csv").write_text("")
    with pytest.raises(OutputError, match="shorter than at the checkpoint"):
        CsvLog(tmp_path / "log.csv", COLUMNS, mark)


def test_a_full_disk_is_one_sentence(tmp_path):
    log = CsvLog(tmp_path / "log.csv", COLUMNS)
    log.stream.close()
    log.stream = Path("/dev/full").open("wb")  # noqa: SIM115 (the log closes it)
    with pytest.raises(OutputError, match=r"No space left.*free some space"):
        log.write((0, 1.0))
    with pytest.raises(OutputError, match=r"No space left"):
        log.close()
    assert log.stream.closed


def test_writing_passes_other_errors_on(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path):
        raise ZeroDivisionError
