import json

import pytest
import torch

from sakeff.errors import CheckpointError, ConfigError
from sakeff.export.header import parse_header, torch_dtype, weights_sha256
from sakeff.export.torchscript import eager_program, scripted
from tests.contract.architectures import ARCHITECTURES, SO3KRATES
from tests.helpers import ELEMENTS, make_potential

PROVENANCE = {"level_of_theory": "GFN2-xTB", "charges": [0, 1], "seed": 3}


@pytest.fixture(scope="module")
def header():
    potential = make_potential(SO3KRATES)
    potential.reference.energies[6] = -50.0
    return eager_program(potential, PROVENANCE, skin=0.7, dtype="float32").header


def test_header_describes_the_program(header):
    assert header.elements == ELEMENTS
    assert header.charges == [0.0, 1.0]
    assert header.spins == [0.0]
    assert header.cutoffs == [5.0]
    assert header.skin == 0.7
    assert header.dtype == "float32"
    assert header.units == "eV, angstrom"
    assert header.level_of_theory == "GFN2-xTB"
    assert header.reference_energies[6] == -50.0
    assert header.provenance == PROVENANCE
    assert header.allows_periodic


def test_all_pairs_refuse_periodic_structures():
    potential = make_potential(ARCHITECTURES["so3krates-nonlocal"].representation)
    header = eager_program(potential, {}).header
    assert header.cutoffs == [5.0, None]
    assert not header.allows_periodic


def test_header_survives_json(header):
    assert parse_header(header.model_dump_json(), "program.pt") == header


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "sakeff-program-2"}, "format 'sakeff-program-2'"),
        ({"format": None}, "format None"),
        ({"units": "hartree, bohr"}, "units"),
        ({"elements": None}, "elements"),
        ({"surprise": 1}, "surprise"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_wrong_headers_are_refused(header, change, sentence):
    document = {**json.loads(header.model_dump_json()), **change}
    with pytest.raises(CheckpointError, match=sentence):
        parse_header(json.dumps(document), "program.pt")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null"])
def test_damaged_headers_are_refused(text):
    with pytest.raises(CheckpointError, match=r"program\.pt"):
        parse_header(text, "program.pt")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_hash_of_weights_is_the_same_in_torchscript(name):
    program = eager_program(make_potential(ARCHITECTURES[name].representation), {}).program
    assert weights_sha256(program.potential) == weights_sha256(scripted(program).potential)


def test_hash_sees_every_weight_and_buffer():
    potential = make_potential(SO3KRATES)
    before = weights_sha256(potential)
    potential.reference.energies[1] += 1e-9
    changed = weights_sha256(potential)
    with torch.no_grad():
        potential.embedding.vectors.weight[0, 0] += 1e-12
    assert len({before, changed, weights_sha256(potential)}) == 3


def test_unknown_dtype():
    with pytest.raises(ConfigError, match="float16"):
        torch_dtype("float16")
