import openmm
import pytest

from sakeff.engines.openmm import openmm_force
from sakeff.engines.openmm_xml import read_xml
from sakeff.errors import CheckpointError
from tests.contract.architectures import random_case
from tests.engines.runners import evaluate_context, make_context, make_system, skip_without_openmmtorch
from tests.helpers import ethanol, evaluate, triclinic_box


@pytest.fixture(params=["torch", "python"])
def backend(request):
    if request.param == "torch":
        skip_without_openmmtorch()
    return request.param


@pytest.mark.parametrize("shape", [ethanol, triclinic_box])
def test_round_trip(backend, shape):
    potential, structure = random_case("sake").potential, shape()
    periodic = bool(structure.pbc.any())
    force = openmm_force(potential, structure.numbers.tolist(), backend, periodic=periodic, dtype="float64")
    force.setForceGroup(3)
    system = make_system(force, structure)
    system.addForce(openmm.CMMotionRemover())
    evaluate_context(make_context(system), structure.positions)  # a list is in use when it is written
    again = read_xml(openmm.XmlSerializer.serialize(system))
    energy, _ = evaluate_context(make_context(again), structure.positions)
    assert energy == pytest.approx(float(evaluate(potential, structure).energy), rel=1e-9)
    assert again.usesPeriodicBoundaryConditions() == periodic
    assert again.getForce(0).getForceGroup() == 3
    assert type(again.getForce(1)).__name__ == "CMMotionRemover"


def test_openmm_itself_reads_a_python_force():
    potential, structure = random_case("sake").potential, ethanol()
    system = make_system(openmm_force(potential, structure.numbers.tolist(), "python", dtype="float64"), structure)
    again = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))
    energy, _ = evaluate_context(make_context(again), structure.positions)
    assert energy == pytest.approx(float(evaluate(potential, structure).energy), rel=1e-9)


@pytest.mark.parametrize("text", ["", "not xml", "<State/>", "<System/>"])
def test_text_that_is_not_a_system(text):
    with pytest.raises(CheckpointError, match="OpenMM system"):
        read_xml(text)


def test_a_torch_force_of_another_version():
    with pytest.raises(CheckpointError, match="version 9"):
        read_xml(_around('<Force type="TorchForce" version="9" encodedFileContents=""/>'))


def _around(force):
    empty = openmm.XmlSerializer.serialize(openmm.System())
    return empty.replace("<Forces/>", f"<Forces>{force}</Forces>")
