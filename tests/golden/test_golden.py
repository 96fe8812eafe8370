"""The default configurations give the numbers they gave before: a change of the network cannot go unnoticed."""

import json

import pytest
import torch

from tests.golden.regenerate import ARCHITECTURES, REFERENCE, STRUCTURES, numbers_of

# Weights are drawn in float32, whose last bit may depend on the vector unit of a processor.
RELATIVE = 1e-6


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_numbers_are_as_before(architecture, structure):
    reference = json.loads(REFERENCE.read_text())[architecture][structure]
    for key, found in numbers_of(architecture, structure).items():
        expected = torch.tensor(reference[key], dtype=torch.float64)
        assert found.shape == expected.shape
        error = (found - expected).abs().max()
        assert error <= RELATIVE * expected.abs().max(), f"{key} changed by {error:.2e}"
