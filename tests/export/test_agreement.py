"""A fast path that is wrong does not run."""

import pytest
import torch
from ase import Atoms

from sakeff import SAKECalculator
from sakeff.engines.models import open_model
from sakeff.errors import AgreementError, ConfigError
from sakeff.export.agreement import piece
from sakeff.export.torchscript import check_on, eager_program, export_both, load_program, native_sibling
from sakeff.fast.build import operators_available
from tests.contract.architectures import ARCHITECTURES, SAKE, SO3KRATES
from tests.helpers import ethanol, make_potential, random_numbers, structure


@pytest.fixture
def opened():
    return eager_program(make_potential(SO3KRATES), {}, dtype="float64", kernels="torch")


def spoil(opened):
    with torch.no_grad():
        opened.program.potential.representation.layers[0].attention.table.nodes.mul_(1.01)


def test_a_right_one_passes(opened):
    check_on(opened, ethanol())


def test_a_wrong_table_is_noticed(opened):
    spoil(opened)
    with pytest.raises(AgreementError, match="kernels='reference'"):
        check_on(opened, ethanol())


def test_the_calculator_compares_on_the_first_structure_of_a_composition():
    calculator = SAKECalculator(make_potential(SO3KRATES))
    calculator.opened = eager_program(make_potential(SO3KRATES), {}, dtype="float64", kernels="torch")
    spoil(calculator.opened)
    atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    atoms.calc = calculator
    with pytest.raises(AgreementError):
        atoms.get_potential_energy()


def test_of_a_large_structure_a_piece_is_compared():
    system = structure([6] * 300, 5.0 * random_numbers(1, 300, 3))
    part = piece(system, 50)
    middle = system.positions.mean(dim=0)
    farthest = (part.positions - middle).norm(dim=1).max()
    assert part.numbers.shape[0] == 50
    assert int(((system.positions - middle).norm(dim=1) <= farthest).sum()) == 50


def test_both_files_are_written_and_the_better_one_is_opened(tmp_path):
    files = export_both(make_potential(SAKE), tmp_path / "program.pt", {})
    assert files[0] == tmp_path / "program.pt"
    assert load_program(files[0]).header.kernels == "torch"
    if not operators_available():
        pytest.skip("the C++ operators cannot be compiled here")
    assert files[1:] == [native_sibling(files[0])]
    assert open_model(files[0], "float32").header.kernels == "native"
    assert open_model(files[0], "float32", kernels="torch").header.kernels == "torch"
    with pytest.raises(ConfigError, match="torch kernels"):
        open_model(files[0], "float32", kernels="reference")


def test_a_model_without_a_fast_path_is_one_file(tmp_path):
    potential = make_potential(ARCHITECTURES["sinet"].representation)
    assert export_both(potential, tmp_path / "program.pt", {}) == [tmp_path / "program.pt"]
    assert load_program(tmp_path / "program.pt").header.kernels == "reference"
