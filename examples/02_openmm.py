import sys

import openmm
from openmm import app, unit

from sakeff import openmm_system
from sakeff.drivers import topology_of
from sakeff.structures import load_structure

atoms = load_structure("ethanol_gfn2")
topology = topology_of(atoms)
system = openmm_system("so3krates-gfn2", topology)
integrator = openmm.LangevinMiddleIntegrator(300 * unit.kelvin, 1 / unit.picosecond, 0.5 * unit.femtosecond)
simulation = app.Simulation(topology, system, integrator)
simulation.context.setPositions(atoms.positions * unit.angstrom)
simulation.context.setVelocitiesToTemperature(300 * unit.kelvin, 1)
simulation.reporters.append(app.DCDReporter("ethanol.dcd", 10))
simulation.reporters.append(app.StateDataReporter(sys.stdout, 50, time=True, totalEnergy=True, temperature=True))
simulation.step(200)
