"""Labels of GFN2-xTB."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

from gfn2 import labels


def test_forces_are_the_derivative_of_the_energy():
    numbers = np.array([8, 1, 1])
    positions = np.array([[0.0, 0.0, 0.1], [0.8, 0.1, -0.5], [-0.7, 0.2, -0.6]])
    _, forces = labels.energy_and_forces(numbers, positions)
    step = np.zeros_like(positions)
    step[1, 0] = 1e-3
    ahead, behind = (labels.energy_and_forces(numbers, positions + sign * step)[0] for sign in (1, -1))
    np.testing.assert_allclose(forces[1, 0], (behind - ahead) / 2e-3, rtol=2e-4)
