import math
import subprocess
import sys
import textwrap

import pytest
import torch

from sakeff.errors import NeighbourError
from sakeff.neighbours import TorchSearch, all_pairs, cell_list, limits, neighbour_list
from sakeff.types import join_systems
from tests.helpers import dimer, ethanol, structure
from tests.neighbours.cases import CASES, TRICLINIC, assert_same, random_structure


@pytest.fixture(scope="module")
def scripted():
    return torch.jit.script(TorchSearch())


@pytest.mark.parametrize("name", CASES)
def test_every_structure_gets_the_same_list_from_each_path(name, scripted):
    system, cutoff = CASES[name]
    assert_same(neighbour_list(system, cutoff), cell_list(system, cutoff))
    for _ in range(3):  # the second and third call run optimised code
        neighbours = scripted(system, cutoff)
        assert_same(neighbours, cell_list(system, cutoff))
        assert neighbours.cutoff == cutoff


def test_infinite_cutoff_means_all_pairs(scripted):
    assert_same(neighbour_list(ethanol(), math.inf), all_pairs(ethanol()))
    assert_same(scripted(ethanol(), math.inf), all_pairs(ethanol()))


def test_open_structures_on_both_sides_of_the_threshold_agree(monkeypatch):
    system, cutoff = CASES["large open"]
    binned = neighbour_list(system, cutoff)
    monkeypatch.setattr(limits, "SMALL", 10**6)
    assert_same(neighbour_list(system, cutoff), binned)


def test_mixed_batch(scripted):
    batch = join_systems([ethanol(), CASES["triclinic"][0], dimer(), CASES["wire"][0]])
    assert_same(neighbour_list(batch, 5.0), cell_list(batch, 5.0))
    assert_same(scripted(batch, 5.0), cell_list(batch, 5.0))


@pytest.mark.parametrize("cutoff", [0.0, -1.0, math.nan])
def test_cutoffs_that_are_not_positive_are_refused(cutoff):
    with pytest.raises(NeighbourError, match="cutoff must be positive"):
        neighbour_list(dimer(), cutoff)


def test_scripted_errors_say_the_same(scripted):
    flat = structure([1], [[0.0] * 3], torch.zeros(3, 3), [True, True, True])
    with pytest.raises(torch.jit.Error, match="no volume"):
        scripted(flat, 5.0)
    with pytest.raises(torch.jit.Error, match="open structures"):
        scripted(CASES["triclinic"][0], math.inf)


def test_saved_search_runs_in_a_process_without_this_package(tmp_path, scripted):
    system = random_structure(1, 20, TRICLINIC, (True, True, False))
    scripted.save(str(tmp_path / "search.pt"))
    torch.save((list(system), list(neighbour_list(system, 5.0)[:4])), tmp_path / "case.pt")
    code = f"""
        import sys
        import torch
        search = torch.jit.load({str(tmp_path / "search.pt")!r})
        fields, expected = torch.load({str(tmp_path / "case.pt")!r})
        found = search(tuple(fields), 5.0)
        assert all(torch.equal(one, two) for one, two in zip(found[:4], expected))
        assert "sakeff" not in sys.modules
        print(expected[0].shape[0])
    """
    done = subprocess.run(  # a script of our own
        [sys.executable, "-I", "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", CASES)
def test_cuda_agrees_with_cpu(name, scripted):
    system, cutoff = CASES[name]
    on_device = type(system)(*[field.cuda() for field in system])
    for search in (neighbour_list, scripted):
        found = search(on_device, cutoff)
        assert_same(type(found)(*[field.cpu() for field in found[:4]], cutoff), cell_list(system, cutoff))
