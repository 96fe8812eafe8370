import json
import subprocess
import sys
import textwrap
import zipfile

import pytest
import torch
from torch import nn

from sakeff.errors import CheckpointError, OutputExistsError
from sakeff.export.header import weights_sha256
from sakeff.export.program import gradients_enabled
from sakeff.export.torchscript import HEADER_FILE, check_agreement, eager_program, export_program, load_program
from sakeff.types import Features
from tests.contract.architectures import ARCHITECTURES, SAKE, SO3KRATES
from tests.helpers import ethanol, evaluate, make_potential, triclinic_box

PROVENANCE = {"level_of_theory": "GFN2-xTB"}


@pytest.fixture(scope="module")
def potential():
    return make_potential(SO3KRATES)


@pytest.fixture
def program_file(potential, tmp_path):
    path = tmp_path / "program.pt"
    export_program(potential, path, PROVENANCE, dtype="float64")
    return path


def rewritten(path, change):
    """The same archive with ``change(name, content)`` applied to each of its files."""
    with zipfile.ZipFile(path) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files:
            archive.writestr(name, change(name, content))
    return path


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_export_and_load(name, dtype, tmp_path):
    made = make_potential(ARCHITECTURES[name].representation)
    header = export_program(made, tmp_path / "program.pt", PROVENANCE, skin=0.8, dtype=dtype)
    program, read = load_program(tmp_path / "program.pt")
    assert read == header
    assert read.dtype == dtype
    assert weights_sha256(program.potential) == header.weights_sha256
    assert [path.name for path in tmp_path.iterdir()] == ["program.pt"]


def test_an_existing_file_is_kept(potential, program_file):
    before = program_file.read_bytes()
    with pytest.raises(OutputExistsError, match="exists already"):
        export_program(potential, program_file, PROVENANCE)
    assert program_file.read_bytes() == before
    assert export_program(potential, program_file, PROVENANCE, overwrite=True).dtype == "float32"
    assert load_program(program_file).header.dtype == "float32"


class SaysOneThingAndDoesAnother(nn.Module):
    """A readout that TorchScript runs differently."""

    def forward(self, features: Features) -> torch.Tensor:
        total = features.scalars.sum(-1)
        return total * 1.001 if torch.jit.is_scripting() else total


def test_a_program_that_differs_from_the_potential_is_not_published(tmp_path):
    wrong = make_potential(SO3KRATES)
    wrong.readout = SaysOneThingAndDoesAnother()
    with pytest.raises(CheckpointError, match="differs from the potential"):
        export_program(wrong, tmp_path / "program.pt", PROVENANCE, dtype="float64")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_agreement_compares_numbers(potential, dtype):
    one = eager_program(potential, {}, dtype=dtype)
    check_agreement(one, eager_program(potential, {}, dtype=dtype).program)
    with pytest.raises(CheckpointError, match="differs"):
        check_agreement(one, eager_program(make_potential(SO3KRATES, seed=1), {}, dtype=dtype).program)


def test_agreement_is_not_hidden_by_reference_energies(potential):
    one = eager_program(potential, {}, dtype="float32")
    two = eager_program(potential, {}, dtype="float32")
    for each in (one, two):
        each.program.potential.reference.energies += -10000.0
    two.program.potential.reference.energies += 0.01
    with pytest.raises(CheckpointError, match="differs"):
        check_agreement(one, two.program)


def test_files_that_are_not_programs(tmp_path, potential):
    (tmp_path / "text.pt").write_text("not an archive")
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "other.pt")
    torch.save(potential.state_dict(), tmp_path / "weights.pt")
    for name in ("missing.pt", "text.pt", "other.pt", "weights.pt"):
        with pytest.raises(CheckpointError, match=name):
            load_program(tmp_path / name)
    with pytest.raises(CheckpointError):
        load_program(tmp_path)


@pytest.mark.parametrize("fraction", [0.02, 0.5, 0.99])
def test_truncated_files(program_file, fraction):
    content = program_file.read_bytes()
    program_file.write_bytes(content[: int(fraction * len(content))])
    with pytest.raises(CheckpointError, match=r"program\.pt"):
        load_program(program_file)


def test_wrong_version(program_file):
    def newer(name, content):
        return content.replace(b"sakeff-program-1", b"sakeff-program-9") if name.endswith(HEADER_FILE) else content

    with pytest.raises(CheckpointError, match="sakeff-program-9"):
        load_program(rewritten(program_file, newer))


def test_changed_weights(program_file):
    def with_other_hash(name, content):
        if not name.endswith(HEADER_FILE):
            return content
        return json.dumps({**json.loads(content), "weights_sha256": "0" * 64}).encode()

    with pytest.raises(CheckpointError, match="weights"):
        load_program(rewritten(program_file, with_other_hash))


def test_missing_code(program_file):
    with pytest.raises(CheckpointError, match="damaged"):
        load_program(rewritten(program_file, lambda name, content: b"" if name.endswith("data.pkl") else content))


ALONE = """
    import sys

    class Refuse:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("sakeff", "vesin", "ase"):
                raise ImportError(name)

    sys.meta_path.insert(0, Refuse())
    import torch
    program = torch.jit.load(sys.argv[1])
    given = torch.load(sys.argv[2], weights_only=True)
    results = [[list(program(*system, 0.0, 0.0)) for _ in range(4)] for system in given]
    torch.save(results, sys.argv[3])
    assert not [name for name in sys.modules if name.startswith("sakeff")]
"""


@pytest.mark.parametrize("representation", [SAKE, SO3KRATES], ids=["sake", "so3krates"])
def test_the_file_runs_alone(representation, tmp_path):
    """In a process that cannot import sakeff, on a molecule and a box that were not seen at export."""
    potential = make_potential(representation)
    systems = [ethanol(), triclinic_box(), triclinic_box(seed=6, pbc=(True, False, True))]
    export_program(potential, tmp_path / "program.pt", PROVENANCE, dtype="float64")
    torch.save([[s.numbers, s.positions, s.cell[0], s.pbc[0]] for s in systems], tmp_path / "given.pt")
    paths = [str(tmp_path / name) for name in ("program.pt", "given.pt", "results.pt")]
    subprocess.run([sys.executable, "-c", textwrap.dedent(ALONE), *paths], check=True, cwd=tmp_path, timeout=300)
    for system, calls in zip(systems, torch.load(paths[2], weights_only=True), strict=True):
        expected = evaluate(potential, system)
        for energy, _, forces, _ in calls:
            torch.testing.assert_close(energy, expected.energy[0].detach(), rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(forces, expected.forces.detach(), rtol=1e-9, atol=1e-9)


def test_a_loaded_program_is_scripted_and_takes_new_structures(program_file, potential):
    program = load_program(program_file).program
    with gradients_enabled():
        for system in (ethanol(), triclinic_box(), ethanol(seed=2)):
            forces = program(system.numbers, system.positions, system.cell[0], system.pbc[0], 0.0, 0.0)[2]
            torch.testing.assert_close(forces, evaluate(potential, system).forces.detach(), rtol=1e-9, atol=1e-9)
