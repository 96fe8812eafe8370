"""The cost of the two operations: the counts, their growth, and what the command writes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import sinet_scaling as script

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TorchScript, inside e3nn


def test_counts_of_known_operations():
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    assert script.count(lambda: a @ b) == 3 * 4 * 5
    assert script.count(lambda: a * a) == 12
    assert script.count(lambda: (a @ b).t()) == 60, "views cost nothing"
    assert script.count(lambda: (a @ b).exp()) == 75


def test_exponents_of_powers():
    degrees = list(range(1, 9))
    for power in (2.0, 5.0):
        assert script.exponent(degrees, [(l + 1.0) ** power for l in degrees]) == pytest.approx(power)


def test_the_scalar_interaction_is_quadratic_in_the_degree():
    """Its count is a polynomial of second degree, exactly: third differences vanish, second ones do not."""
    counts = [script.count(script.scalar_interaction(l, 8, 2)) for l in range(1, 8)]
    assert (np.diff(counts, 3) == 0).all()
    assert (np.diff(counts, 2) > 0).all()


def test_the_tensor_product_is_steeper():
    degrees = [1, 2, 3, 4]
    counts = [script.count(script.tensor_product(l, 8, 2)) for l in degrees]
    assert script.exponent(degrees, counts) > 4.0


def test_the_command_writes_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "SECONDS", 0.0)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    output = tmp_path / "found.json"
    arguments = ["--l-max", "3", "--channels", "4", "--rows", "2", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", ["sinet_scaling", *arguments])
    script.main()
    found = json.loads(output.read_text())
    assert found["L"] == [1, 2, 3]
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3 + 1
    for result in found["results"].values():
        assert len(result["operations"]) == len(result["milliseconds"]) == 3
        assert min(result["milliseconds"]) > 0
