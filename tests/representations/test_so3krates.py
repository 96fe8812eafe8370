"""So3krates against a dense transcription of the paper, its degrees, filters and symmetry."""

import numpy as np
import pytest
import torch
from e3nn import o3

from sakeff.errors import ConfigError
from sakeff.nn.sphc import order_slices
from sakeff.nn.spherical import clebsch_gordan
from tests.contract.architectures import SO3KRATES
from tests.contract.checks import assert_equivariant
from tests.helpers import edges_for, ethanol, evaluate, features_of, lists_for, make_potential, rotation, transformed
from tests.representations.dense_so3krates import DenseSo3krates, coupling_paths
from tests.representations.test_sake import as_arrays, parameters

LITERAL = {"envelope": "cosine", "coupling": "all", "normalisation": "neighbours", "sphc_softening": 0.0}


def signs_of(degrees):
    """Relative sign of our coupling coefficients and those of e3nn, a convention for each path."""
    signs = {}
    for l1, l2, l in coupling_paths(degrees):
        reference = o3.wigner_3j(l1, l2, l, dtype=torch.float64).numpy()
        signs[l1, l2, l] = float(np.sign((clebsch_gordan(l1, l2, l) * reference).sum()))
    return signs


def final_state(potential, system):
    """Features and SPHC after the last layer."""
    model = potential.representation
    with torch.no_grad():
        scalars = potential.embedding(system.numbers, system.charge, system.spin, system.batch).scalars
        geometries = [model.edge_geometry(one) for one in edges_for(potential, system)]
        sphc = model.initial_sphc(geometries[0], len(scalars))
        for layer in model.layers:
            scalars, sphc = layer(scalars, sphc, geometries)
    return scalars, sphc


@pytest.mark.parametrize("kappa", [None, 1.0, 1.4], ids=["local", "nonlocal", "nonlocal-1.4"])
@pytest.mark.parametrize("degrees", [[1, 2, 3], [0, 1, 2]])
def test_equals_the_paper(degrees, kappa):
    """Features and SPHC of every atom, in the literal configuration; features large enough for every term to count."""
    size = {"width": 12, "layers": 2, "heads": 2, "basis_size": 6, "cutoff": 2.5}
    potential = make_potential({"name": "so3krates", **size, "degrees": degrees, "nonlocal_kappa": kappa, **LITERAL})
    with torch.no_grad():
        potential.embedding.vectors.weight *= 2.0
    system = ethanol()
    initial = potential.embedding(system.numbers, system.charge, system.spin, system.batch).scalars.detach().numpy()
    weights = as_arrays(potential.representation)
    dense = DenseSo3krates(weights, 2, 2, degrees, 2.5, 6, signs_of(degrees), kappa)
    f, chi = dense(initial, system.positions.numpy())
    scalars, sphc = final_state(potential, system)
    np.testing.assert_allclose(scalars, f, rtol=1e-9, atol=1e-11)
    for l, orders in zip(degrees, order_slices(degrees), strict=True):
        np.testing.assert_allclose(sphc[:, orders], np.array([one[l] for one in chi]), rtol=1e-9, atol=1e-11)


def test_default_configuration_keeps_its_size_from_layer_to_layer():
    """Six layers of cubic attention explode from initial features that are too large."""
    scalars, sphc = final_state(make_potential({"name": "so3krates"}), ethanol())
    assert 0.02 < scalars.std() < 1.0
    assert 0.02 < sphc.norm(dim=1).mean() < 2.0


@pytest.mark.parametrize("degrees", [[0], [1], [3], [0, 1, 2], [1, 2, 3, 4]])
def test_any_set_of_degrees(degrees):
    potential, system = make_potential({**SO3KRATES, "degrees": degrees}), ethanol()
    assert_equivariant(potential, system, -rotation())
    vectors = features_of(potential, system).vectors
    assert vectors.shape == (9, 1 if 1 in degrees else 0, 3)
    scripted = torch.jit.script(potential)(system, lists_for(potential, system))
    assert torch.allclose(scripted.forces, evaluate(potential, system).forces, atol=1e-12)


@pytest.mark.parametrize("degrees", [[1], [0, 1, 2], [1, 2, 3]])
def test_vectors_are_equivariant(degrees):
    potential, turn = make_potential({**SO3KRATES, "degrees": degrees}), rotation()
    before = features_of(potential, ethanol()).vectors
    after = features_of(potential, transformed(ethanol(), turn)).vectors
    assert torch.allclose(after, before @ turn.T, atol=1e-11)
    assert before.norm() > 1e-3


@pytest.mark.parametrize("filters", [["radial"], ["spherical"]])
def test_filters_can_be_left_out(filters):
    whole, part = make_potential(SO3KRATES), make_potential({**SO3KRATES, "filters": filters})
    assert parameters(part) < parameters(whole)
    prediction = evaluate(part, ethanol())
    assert prediction.forces.isfinite().all()
    assert prediction.forces.abs().max() > 1e-6


def test_nonlocal_correction_adds_no_parameters_and_asks_for_all_pairs():
    local, nonlocal_model = make_potential(SO3KRATES), make_potential({**SO3KRATES, "nonlocal_kappa": 1.0})
    assert parameters(local) == parameters(nonlocal_model)
    assert local.requests() == [5.0]
    assert nonlocal_model.requests() == [5.0, float("inf")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coupling": "odd"}, "Unknown coupling 'odd'"),
        ({"normalisation": "mean"}, "Unknown normalisation 'mean'"),
        ({"filters": ["angular"]}, "Filters .* are not valid"),
        ({"width": 25}, "not a multiple"),
        ({"envelope_exponent": 2}, "use 3 or more"),
        ({"lmax": 3}, "does not fit"),
    ],
)
def test_bad_configurations(change, message):
    with pytest.raises(ConfigError, match=message):
        make_potential({**SO3KRATES, **change})
