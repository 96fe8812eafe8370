"""What ``sakeff doctor`` tries. Each probe is a small program that prints a version or fails."""

from typing import NamedTuple


class Probe(NamedTuple):
    """``code`` runs in a fresh interpreter; ``mend`` says what to do when it fails."""

    name: str
    code: str
    mend: str
    required: bool = False


# One particle in a well of 1 kJ/mol/nm^2 around the origin: energy 1 at 1 nm.
_ONE_PARTICLE = """
import openmm
system = openmm.System()
system.addParticle(1.0)
system.addForce(force)
context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName({platform!r}))
context.setPositions([openmm.Vec3(1.0, 0.0, 0.0)])
context.getIntegrator().step(1)
context.setPositions([openmm.Vec3(1.0, 0.0, 0.0)])
energy = context.getState(energy=True).getPotentialEnergy()._value
assert abs(energy - 1.0) < 1e-5, f"energy {{energy}} where 1 is right"
"""

_TORCH_FORCE = """
import torch, openmmtorch
from importlib.metadata import version
class Well(torch.nn.Module):
    def forward(self, positions):
        return (positions ** 2).sum()
force = openmmtorch.TorchForce(torch.jit.script(Well()))
"""

_PYTHON_FORCE = """
import openmm, numpy
def well(state):
    positions = state.getPositions(asNumpy=True)._value
    return float((positions ** 2).sum()), -2.0 * positions
force = openmm.PythonForce(well)
"""

_TORCH_STEP = "\nprint('openmmtorch', version('openmmtorch'), 'with torch', torch.__version__)"
_OPENMM = "pip install 'sakeff[openmm]'"
_PAIR = "pip install openmmtorch==1.5 torch==2.9.1, or use backend=python"
_CUDA_PLUGIN = "pip install 'openmm[cuda12]' 'openmmtorch[cuda12]' (needs an NVIDIA GPU)"


def _version(module: str) -> str:
    return f"import {module}; from importlib.metadata import version; print(version({module!r}))"


def _torch_force(platform: str) -> str:
    return _TORCH_FORCE + _ONE_PARTICLE.format(platform=platform) + _TORCH_STEP


PROBES = [
    Probe("torch", "import torch; print(torch.__version__)", "pip install torch", required=True),
    Probe("ASE", "import ase; print(ase.__version__)", "pip install ase", required=True),
    Probe(
        "vesin",
        "from vesin import NeighborList\n"
        "import numpy\n"
        "search = NeighborList(cutoff=2.0, full_list=True)\n"
        "points = numpy.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])\n"
        "found = search.compute(points=points, box=9.0 * numpy.eye(3), periodic=False, quantities='ij')\n"
        "assert len(found[0]) == 2\nfrom importlib.metadata import version; print(version('vesin'))",
        "pip install vesin",
        required=True,
    ),
    Probe(
        "bundled models",
        "from sakeff import SAKECalculator, list_models\n"
        "from sakeff.structures import load_structure\n"
        "atoms, names = load_structure('ethanol'), list_models()\n"
        "assert names, 'there is no bundled model'\n"
        "for name in names:\n    SAKECalculator(name).get_potential_energy(atoms)\nprint(*names)",
        "install sakeff again, or give your own model by its folder",
    ),
    Probe("OpenMM", "import openmm; print(openmm.version.version)", _OPENMM),
    Probe("TorchForce (Reference)", _torch_force("Reference"), _PAIR),
    Probe("TorchForce (CPU)", _torch_force("CPU"), _PAIR),
    Probe(
        "PythonForce",
        _PYTHON_FORCE + _ONE_PARTICLE.format(platform="Reference") + "\nprint('openmm', openmm.version.version)",
        "pip install 'openmm>=8.6.1'",
    ),
    Probe(
        "CUDA in torch",
        "import torch; assert torch.cuda.is_available(), 'torch sees no GPU'\n"
        "torch.ones(2, device='cuda').sum().item(); print(torch.cuda.get_device_name(0))",
        "install an NVIDIA driver and a CUDA build of torch, or use the CPU",
    ),
    Probe("TorchForce (CUDA)", _torch_force("CUDA"), _CUDA_PLUGIN),
    Probe(
        "C++ operators",
        "from sakeff.fast.build import load_operators\nload_operators()\nprint('compiled for this processor')",
        "apt install g++ and pip install ninja, or accept kernels='torch', which is slower",
    ),
    Probe("mdtraj", _version("mdtraj"), _OPENMM),
    Probe("matplotlib (plots)", _version("matplotlib"), "pip install 'sakeff[train]'"),
    Probe("RDKit (data sets)", "import rdkit; print(rdkit.__version__)", "pip install 'sakeff[data]'"),
    Probe("tblite (data sets)", _version("tblite"), "pip install 'sakeff[data]'"),
]
