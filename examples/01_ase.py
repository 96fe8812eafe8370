from ase.build import molecule
from ase.optimize import LBFGS

from sakeff import SAKECalculator

atoms = molecule("CH3CH2OH", calculator=SAKECalculator("so3krates-gfn2"))
LBFGS(atoms, logfile="relax.log").run(fmax=0.01)
print(f"{atoms.get_potential_energy():.4f} eV, largest force {abs(atoms.get_forces()).max():.4f} eV/A")
