"""SAKE against a dense transcription of the paper, its ablations (Table 7) and its equivariant outputs."""

import itertools

import numpy as np
import pytest
import torch

from sakeff.errors import ConfigError
from tests.contract.architectures import SAKE
from tests.helpers import (
    edges_for,
    ethanol,
    evaluate,
    features_of,
    lists_for,
    make_potential,
    random_numbers,
    rotation,
    transformed,
)
from tests.representations.dense_sake import DenseSake

LITERAL = {
    "envelope": "cosine",
    "attention_activation": "celu",
    "normalisation": "literal",
    "norm": "euclidean",
    "softening": 0.0,
}


def as_arrays(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("cutoff", [2.2, 6.0])
def test_equals_the_paper(cutoff):
    """Scalars, displacements and velocities of every atom, in the literal configuration."""
    size = {"width": 8, "layers": 3, "heads": 2, "coefficients": 5, "basis_size": 7, "cutoff": cutoff}
    potential = make_potential({"name": "sake", **size, **LITERAL})
    system = ethanol()
    features = features_of(potential, system)
    initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch).scalars
    dense = DenseSake(as_arrays(potential.representation), 3, 2, cutoff, 7)
    h, x, v = dense(initial.detach().numpy(), system.positions.numpy())
    np.testing.assert_allclose(features.scalars, h, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(features.vectors[:, 0], x - system.positions.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(features.vectors[:, 1], v, rtol=1e-9, atol=1e-11)
    assert np.abs(x - system.positions.numpy()).max() > 0.05


@pytest.mark.parametrize("matrix", [rotation(), -rotation(4)], ids=["rotation", "reflection"])
def test_displacement_and_velocity_are_equivariant(matrix):
    potential = make_potential(SAKE)
    before = features_of(potential, ethanol())
    after = features_of(potential, transformed(ethanol(), matrix))
    assert before.vectors.shape == (9, 2, 3)
    assert torch.allclose(after.scalars, before.scalars, atol=1e-11)
    assert torch.allclose(after.vectors, before.vectors @ matrix.T, atol=1e-11)
    assert before.vectors.norm(dim=-1).min() > 1e-3


def test_initial_velocity_is_taken_from_the_features():
    potential, system = make_potential({**SAKE, "layers": 1}), ethanol()
    initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch)
    edges, velocity = edges_for(potential, system), random_numbers(2, 9, 1, 3)
    still = potential.representation(initial, edges)
    thrown = potential.representation(initial._replace(vectors=velocity), edges)
    scale = 2 * torch.sigmoid(potential.representation.layers[0].update.scale(initial.scalars))
    assert torch.allclose(thrown.vectors[:, 1] - still.vectors[:, 1], scale * velocity[:, 0], atol=1e-12)
    assert torch.allclose(thrown.vectors[:, 0] - still.vectors[:, 0], scale * velocity[:, 0], atol=1e-12)


TABLE_7 = list(itertools.product(["spatial", "none"], ["semantic", "distance"], ["kinetic", "none"]))


def ablation(spatial, attention, update):
    # One head, so that removing the semantic attention removes its weights and nothing else.
    return make_potential({**SAKE, "heads": 1, "spatial": spatial, "attention": attention, "update": update})


def parameters(potential):
    return sum(p.numel() for p in potential.parameters())


@pytest.mark.parametrize("parts", TABLE_7, ids="-".join)
def test_ablations_run(parts):
    potential, system = ablation(*parts), ethanol()
    prediction = evaluate(potential, system)
    assert prediction.forces.isfinite().all()
    assert prediction.forces.abs().max() > 1e-6
    scripted = torch.jit.script(potential)(system, lists_for(potential, system))
    assert torch.allclose(scripted.forces, prediction.forces, atol=1e-12)


@pytest.mark.parametrize("parts", TABLE_7[1:], ids="-".join)
def test_each_part_left_out_saves_parameters(parts):
    """Fewer than with any one of the missing parts put back."""
    full = TABLE_7[0]
    for index in [k for k in range(3) if parts[k] != full[k]]:
        larger = [*parts[:index], full[index], *parts[index + 1 :]]
        assert parameters(ablation(*parts)) < parameters(ablation(*larger))


def test_without_update_atoms_stay():
    vectors = features_of(ablation("spatial", "semantic", "none"), ethanol()).vectors
    assert (vectors == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": "dot"}, "Unknown attention 'dot'"),
        ({"spatial": "yes"}, "Unknown spatial attention 'yes'"),
        ({"norm": "l1"}, "Unknown norm 'l1'"),
        ({"normalisation": "softmax"}, "Unknown normalisation 'softmax'"),
        ({"update": "verlet"}, "Unknown update 'verlet'"),
        ({"attention_activation": "relu"}, "Unknown activation 'relu'"),
        ({"envelope": "none"}, "Unknown envelope 'none'"),
        ({"depth": 3}, "does not fit"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(ConfigError, match=message):
        make_potential({**SAKE, **change})
