import pytest
import torch

from sakeff.config import build_potential, parse_potential_config
from sakeff.errors import ConfigError
from sakeff.representations import REPRESENTATIONS, make_representation
from tests.contract.architectures import ARCHITECTURES, SAKE


def document(**changes):
    return {"elements": [8, 1, 6], "representation": dict(SAKE), **changes}


def test_elements_are_sorted():
    assert parse_potential_config(document()).elements == [1, 6, 8]
    assert build_potential(parse_potential_config(document())).elements.tolist() == [1, 6, 8]


def test_config_survives_a_round_trip():
    config = parse_potential_config(document())
    assert parse_potential_config(config.model_dump()) == config


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"elements": []}, "elements"),
        ({"elements": [1, 1]}, "elements"),
        ({"elements": [0]}, "elements"),
        ({"elements": [119]}, "elements"),
        ({"elements": "HCO"}, "elements"),
        ({"representation": {"width": 16}}, "representation"),
        ({"representation": "sake"}, "representation"),
        ({"depth": 3}, "depth"),
    ],
)
def test_bad_documents_name_the_place(changes, where):
    with pytest.raises(ConfigError, match=where):
        parse_potential_config(document(**changes))


def test_unknown_representation_lists_the_known():
    with pytest.raises(ConfigError, match=r"'schnet'.*sake.*so3krates"):
        make_representation("schnet")


def test_unknown_hyperparameter():
    with pytest.raises(ConfigError, match=r"'sake' does not fit.*depth"):
        make_representation("sake", depth=3)


def test_every_architecture_is_under_contract():
    assert {one.representation["name"] for one in ARCHITECTURES.values()} == set(REPRESENTATIONS)


def test_building_is_seeded_and_touches_no_global_state():
    config = parse_potential_config(document())
    state, dtype, threads = torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads()
    one, two = build_potential(config, 5), build_potential(config, 5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == dtype
    assert torch.get_num_threads() == threads
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    other = build_potential(config, 6)
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_have_variance_one_over_fan_in():
    """Also where one map on a concatenation is split into parts."""
    wide = {**SAKE, "width": 128, "basis_size": 64, "layers": 1}
    potential = build_potential(parse_potential_config(document(representation=wide)))
    embedding = potential.representation.layers[0].embedding
    joined = 2 * 128 + 1 + 64
    for weight, fan_in in [
        (embedding.from_atoms.centre.weight, joined),
        (embedding.from_filter.weight, joined),
        (embedding.filter.other.weight, 2 * 128),
        (embedding.output[1].weight, 128),
    ]:
        assert float(weight.detach().std()) == pytest.approx(fan_in**-0.5, rel=0.05)
    biases = [p for name, p in potential.named_parameters() if name.endswith("bias")]
    assert all((bias == 0).all() for bias in biases)
