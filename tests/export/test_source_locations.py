"""A file that is given away says nothing about the machine that made it."""

import zipfile
from pathlib import Path

import pytest

import sakeff
from sakeff.export.torchscript import export_program
from sakeff.zoo import PROGRAM_FILE, list_models, models_folder
from tests.contract.architectures import SAKE
from tests.helpers import make_potential


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist()) + " ".join(archive.namelist()).encode()


def test_an_export_does_not_name_the_folder_of_the_package(tmp_path):
    export_program(make_potential(SAKE), tmp_path / "program.pt", {}, dtype="float64")
    home = Path(sakeff.__file__).resolve().parent
    assert str(home).encode() not in contents(tmp_path / "program.pt")


@pytest.mark.parametrize("name", list_models())
def test_bundled_programs_hold_no_debug_records(name):
    with zipfile.ZipFile(models_folder() / name / PROGRAM_FILE) as archive:
        assert not [entry for entry in archive.namelist() if entry.endswith(".debug_pkl")]
