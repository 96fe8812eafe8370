"""Relaxation and molecular dynamics on ASE's and OpenMM's own optimisers and integrators."""

from sakeff.drivers.md import MdResult, check_engine, run_md
from sakeff.drivers.prepare import equilibrated, relaxed_start
from sakeff.drivers.recorder import MdOutputs, outputs_in
from sakeff.drivers.relax import RelaxOutputs, RelaxResult, relax, relaxation_in, rmsd
from sakeff.drivers.settings import MdSettings, steps_in
from sakeff.drivers.topology import topology_of

__all__ = [
    "MdOutputs",
    "MdResult",
    "MdSettings",
    "RelaxOutputs",
    "RelaxResult",
    "check_engine",
    "equilibrated",
    "outputs_in",
    "relax",
    "relaxation_in",
    "relaxed_start",
    "rmsd",
    "run_md",
    "steps_in",
    "topology_of",
]
