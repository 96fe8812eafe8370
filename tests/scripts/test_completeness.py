"""The completeness metric r(l): known ranks, what is recorded, and how it grows from layer to layer."""

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import completeness as script

from tests.helpers import random_numbers, structure

SIZE = {"l_max": 3, "channels": 16, "layers": 3}


def test_ranks_of_known_fragments():
    """Two directions of degree 1, three of degree 2 (one of them twice) and more than enough of degree 3."""
    fragments = torch.zeros(1, 15, 9, dtype=torch.float64)
    fragments[0, :3, :2] = random_numbers(1, 3, 2)
    fragments[0, 3:8, :3] = random_numbers(2, 5, 3)
    fragments[0, 3:8, 3] = fragments[0, 3:8, 0]
    fragments[0, 8:] = random_numbers(3, 7, 9)
    assert [float(script.completeness(fragments, l)) for l in (1, 2, 3)] == pytest.approx([2 / 3, 3 / 5, 1.0])


def test_too_few_channels_cannot_span():
    assert float(script.completeness(random_numbers(1, 1, 15, 4), 3)) == pytest.approx(4 / 7)


@pytest.mark.parametrize("name", ["sinet", "siformer"])
def test_neighbours_bring_their_directions(name):
    """A bent row of four atoms that see their neighbours in the row: one direction for each neighbour enters the first
    layer, messages bring those of the neighbours' neighbours into the second."""
    potential = script.random_potential(name, 1.4, **SIZE)
    row = structure([6, 6, 6, 6], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.3, 0.9, 0.2], [1.2, 1.2, 1.1]])
    first, second, _ = script.layer_inputs(potential, row)
    assert first.shape == (4, 15, 16)
    assert (script.completeness(first, 3) * 7).tolist() == [1, 2, 2, 1]
    assert (script.completeness(second, 3) * 7).tolist() == [2, 3, 3, 2]


def test_recording_leaves_no_trace():
    potential = script.random_potential("sinet", 1.4, **SIZE)
    script.layer_inputs(potential, structure([6, 6], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    assert not any(layer._forward_pre_hooks for layer in potential.representation.layers)


def test_the_command_writes_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "STRUCTURES", ("ethanol_gfn2",))
    output = tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", ["completeness", "--l-max", "3", "--layers", "2", "--output", str(output)])
    script.main()
    results = json.loads(output.read_text())["results"]
    assert capsys.readouterr().out.count("\n") == 2 + 2 * len(results)
    for layers in results.values():
        assert all(later >= earlier for earlier, later in zip(layers[0]["mean"], layers[1]["mean"], strict=True))
