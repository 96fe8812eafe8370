"""Replaying: same results as the program, same errors, and more room when edges do not fit."""

import pytest
import torch

from sakeff.engines import replay
from sakeff.engines.ase import SAKECalculator
from sakeff.engines.replay import ReplayedProgram
from sakeff.errors import AgreementError, ConfigError, StructureError
from sakeff.export.program import Program
from sakeff.export.torchscript import export_program
from sakeff.neighbours import TorchSearch
from tests.contract.architectures import random_case
from tests.engines.runners import to_atoms
from tests.helpers import ethanol, make_potential, random_numbers, triclinic_box

MOLECULE = ethanol()
SHORT_SIGHTED = {"name": "so3krates", "width": 12, "layers": 1, "heads": 2, "basis_size": 8, "cutoff": 2.0}


def inputs(system, positions=None):
    where = system.positions if positions is None else positions
    return system.numbers, where, system.cell[0], system.pbc[0], 0.0, 0.0


@pytest.fixture
def pair():
    """The usual program of a potential with a short cutoff, and its replayed form on the CPU."""
    potential = make_potential(SHORT_SIGHTED)
    return Program(potential, TorchSearch()), ReplayedProgram(Program(potential, TorchSearch()), "float64")


def warm(replayed, system, positions=None):
    """Two calls, after which there is a graph."""
    for _ in range(2):
        replayed(*inputs(system, positions))
    assert replayed.captures == 1


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_a_trajectory_is_replayed_by_one_graph(pair):
    usual, replayed = pair
    for step in range(5):
        positions = MOLECULE.positions + 0.01 * random_numbers(step, 9, 3)
        assert_same(replayed(*inputs(MOLECULE, positions)), usual(*inputs(MOLECULE, positions)))
    assert replayed.captures == 1


def test_results_stay_when_the_next_step_is_taken(pair):
    _, replayed = pair
    warm(replayed, MOLECULE)
    first = replayed(*inputs(MOLECULE))
    kept = first[2].clone()
    replayed(*inputs(MOLECULE, MOLECULE.positions + 0.05 * random_numbers(1, 9, 3)))
    assert torch.equal(first[2], kept)


def test_overflow_gives_the_right_numbers_and_more_room(pair):
    usual, replayed = pair
    warm(replayed, MOLECULE, 3.0 * MOLECULE.positions)
    assert_same(replayed(*inputs(MOLECULE)), usual(*inputs(MOLECULE)))
    assert replayed.captures == 2
    assert_same(replayed(*inputs(MOLECULE)), usual(*inputs(MOLECULE)))
    assert replayed.captures == 2


def test_another_structure_gets_another_graph(pair):
    usual, replayed = pair
    warm(replayed, MOLECULE)
    mirror = MOLECULE._replace(numbers=MOLECULE.numbers.flip(0))
    for _ in range(3):
        assert_same(replayed(*inputs(mirror)), usual(*inputs(mirror)))
    assert replayed.captures == 2


def test_structures_that_change_all_the_time_get_no_graph(pair):
    _, replayed = pair
    mirror = MOLECULE._replace(numbers=MOLECULE.numbers.flip(0))
    for system in [MOLECULE, mirror] * 3:
        replayed(*inputs(system))
    assert replayed.captures == 0


def test_structures_without_a_list_of_fixed_length_go_the_usual_way():
    potential = random_case("so3krates").potential
    usual, replayed = Program(potential, TorchSearch()), ReplayedProgram(Program(potential, TorchSearch()), "float64")
    box = triclinic_box()
    for _ in range(2):
        assert_same(replayed(*inputs(box)), usual(*inputs(box)))
    assert replayed.captures == 0


def test_errors_are_those_of_the_program(pair):
    _, replayed = pair
    warm(replayed, MOLECULE)
    overlapping = MOLECULE.positions.clone()
    overlapping[1] = overlapping[0]
    with pytest.raises(StructureError, match="overlap"):
        replayed(*inputs(MOLECULE, overlapping))
    with pytest.raises(StructureError, match="finite"):
        replayed(*inputs(MOLECULE, overlapping * float("nan")))
    assert_same(replayed(*inputs(MOLECULE)), replayed.program(*inputs(MOLECULE)))


def test_a_graph_that_disagrees_is_refused(pair, monkeypatch):
    _, replayed = pair
    monkeypatch.setattr(replay, "captured", lambda *_: lambda: [torch.zeros(()), None, torch.zeros(9, 3), None])
    with pytest.raises(AgreementError):
        warm(replayed, MOLECULE)


def test_without_a_graph_the_program_goes_on(pair, monkeypatch, caplog):
    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    usual, replayed = pair
    monkeypatch.setattr(replay, "captured", refuse)
    for _ in range(3):
        assert_same(replayed(*inputs(MOLECULE)), usual(*inputs(MOLECULE)))
    assert [record.getMessage().count("No CUDA graph") for record in caplog.records] == [1]


def test_the_calculator_replays_where_it_is_asked_to():
    atoms, plain = to_atoms(MOLECULE), to_atoms(MOLECULE)
    potential = make_potential(SHORT_SIGHTED)
    atoms.calc = SAKECalculator(potential, cuda_graphs=True)
    plain.calc = SAKECalculator(potential)
    for step in range(4):
        shift = 0.01 * random_numbers(step, 9, 3).numpy()
        atoms.positions += shift
        plain.positions += shift
        assert abs(atoms.get_potential_energy() - plain.get_potential_energy()) < 1e-9
        assert abs(atoms.get_forces() - plain.get_forces()).max() < 1e-8
    assert atoms.calc.evaluate.captures == 1


def test_exported_files_have_lists_of_their_own(tmp_path):
    export_program(make_potential(SHORT_SIGHTED), tmp_path / "program.pt", {})
    with pytest.raises(ConfigError, match="not exported"):
        SAKECalculator(tmp_path / "program.pt", cuda_graphs=True)
