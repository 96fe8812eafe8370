"""Reading systems with a TorchForce back from XML.

``openmm.XmlSerializer.serialize`` writes them correctly, with the program inside. But openmmtorch 1.5 was built for an
older OpenMM, and ``XmlSerializer.deserialize`` of OpenMM 8.6 ends the process when it meets a TorchForce. Here torch
reads the program, and OpenMM everything else.
"""

import xml.etree.ElementTree as ET

import openmm

from sakeff.engines.openmm_plugin import load_openmmtorch
from sakeff.errors import CheckpointError
from sakeff.export.torchscript import scripted_from_bytes

VERSION = "4"  # of the XML of TorchForce


def read_xml(text: str) -> openmm.System:
    """A system from what ``openmm.XmlSerializer.serialize`` wrote, its forces in the same order.

    Raises CheckpointError for text that is not the XML of a system.
    """
    try:
        root = ET.fromstring(text)  # noqa: S314 (no entity is ever resolved from elsewhere)
    except ET.ParseError as error:
        raise CheckpointError(f"This is not the XML of an OpenMM system ({error}); write it again.") from error
    forces = root.find("Forces")
    if root.tag != "System" or forces is None:
        raise CheckpointError(f"This is the XML of a {root.tag}, not of an OpenMM system; serialize the System.")
    nodes = list(forces)
    for node in nodes:
        forces.remove(node)
    system = openmm.XmlSerializer.deserialize(ET.tostring(root, encoding="unicode"))
    for node in nodes:
        system.addForce(_read_force(node))
    return system


def copy_system(system: openmm.System) -> openmm.System:
    """An independent copy, through XML."""
    return read_xml(openmm.XmlSerializer.serialize(system))


def _read_force(node: ET.Element) -> openmm.Force:
    if node.get("type") == "TorchForce":
        return _read_torch_force(node)
    return openmm.XmlSerializer.deserialize(ET.tostring(node, encoding="unicode"))


def _read_torch_force(node: ET.Element) -> openmm.Force:
    if node.get("version") != VERSION:
        raise CheckpointError(
            f"This TorchForce has version {node.get('version')}, only {VERSION} can be read; write it again."
        )
    program = scripted_from_bytes(bytes.fromhex(node.get("encodedFileContents", "")))
    force = load_openmmtorch().TorchForce(
        program, {one.get("name"): one.get("value") for one in node.iterfind("Properties/*")}
    )
    force.setForceGroup(int(node.get("forceGroup", "0")))
    force.setUsesPeriodicBoundaryConditions(node.get("usesPeriodic") == "1")
    force.setOutputsForces(node.get("outputsForces") == "1")
    for one in node.iterfind("GlobalParameters/*"):
        force.addGlobalParameter(one.get("name"), float(one.get("default")))
    for one in node.iterfind("ParameterDerivatives/*"):
        force.addEnergyParameterDerivative(one.get("name"))
    return force
