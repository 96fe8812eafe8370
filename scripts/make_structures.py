"""Make the bundled structures: force-field start structures and the GFN2-xTB minima reached from them.

    python scripts/make_structures.py --out sakeff/structures                  # all that do not exist yet
    python scripts/make_structures.py --out sakeff/structures --only ethanol --overwrite

`<name>.xyz` is the start: an MMFF94 minimum, for the two shapes of Ac-Ala10-NH2 with the backbone angles held.
`<name>_gfn2.xyz` has the same atoms in the same order after LBFGS with GFN2-xTB, with energy and forces in the file.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from ase.optimize import LBFGS
from gfn2 import geometry, labels
from rdkit import Chem
from rdkit.Chem import AllChem, rdMolTransforms

from sakeff.io import write_text

FMAX = 0.005  # eV/Angstrom
MAX_STEPS = 3000
SEED = 7
CONFORMERS = 30

RIBOFLAVIN = "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(C[C@H](O)[C@H](O)[C@H](O)CO)c2cc1C"
ALA10 = "CC(=O)" + "N[C@@H](C)C(=O)" * 10 + "N"


@dataclass(frozen=True)
class Structure:
    """What to build. `backbone` holds phi and psi in degrees, or is None where the energy decides."""

    name: str
    smiles: str
    atoms: int
    backbone: tuple[float, float] | None = None


STRUCTURES = [
    Structure("ethanol", "CCO", 9),
    Structure("alanine", "N[C@@H](C)C(=O)O", 13),
    Structure("riboflavin", RIBOFLAVIN, 47),
    Structure("ala10_helix", ALA10, 109, (-57.0, -47.0)),
    Structure("ala10_extended", ALA10, 109, (-140.0, 135.0)),
]


def main(arguments: list[str] | None = None) -> int:
    """Make the structures asked for, one after another."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for structure in STRUCTURES:
        if options.only in (None, structure.name):
            make(structure, options.out, options.overwrite)
    return 0


def make(structure: Structure, folder: Path, overwrite: bool) -> None:
    """Write the two files of one structure; files that exist are kept unless `overwrite`."""
    start_path, minimum_path = folder / f"{structure.name}.xyz", folder / f"{structure.name}_gfn2.xyz"
    if minimum_path.exists() and start_path.exists() and not overwrite:
        print(f"{structure.name}: kept, it exists already (--overwrite makes it again)")
        return
    mol = start_structure(structure)
    start = _atoms(mol)
    check(structure, mol, start)
    minimum = gfn2_minimum(start, folder / f"{structure.name}.log")
    check(structure, mol, minimum)
    _write(start_path, start, structure, "MMFF94")
    _write(minimum_path, minimum, structure, labels.level_of_theory())
    fmax = np.linalg.norm(minimum.get_forces(), axis=1).max()
    print(f"{structure.name}: {len(start)} atoms, {minimum.get_potential_energy():.6f} eV, fmax {fmax:.4f} eV/A")


def start_structure(structure: Structure) -> Chem.Mol:
    """One conformer at its MMFF94 minimum: the shape asked for, or the best of `CONFORMERS` by GFN2-xTB energy."""
    mol = Chem.AddHs(Chem.MolFromSmiles(structure.smiles))
    if mol.GetNumAtoms() != structure.atoms:
        raise ValueError(f"{structure.name} has {mol.GetNumAtoms()} atoms where {structure.atoms} are expected.")
    if structure.backbone:
        AllChem.EmbedMolecule(mol, randomSeed=SEED)
        return with_backbone(mol, *structure.backbone)
    AllChem.EmbedMultipleConfs(mol, CONFORMERS, randomSeed=SEED)
    AllChem.MMFFOptimizeMoleculeConfs(mol, maxIters=5000)
    return best_conformer(mol)


def best_conformer(mol: Chem.Mol) -> Chem.Mol:
    """The molecule with only its conformer of lowest GFN2-xTB energy, as the force field left it."""
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    energies = {c.GetId(): labels.energy_and_forces(numbers, c.GetPositions())[0] for c in mol.GetConformers()}
    return Chem.Mol(mol, confId=min(energies, key=energies.__getitem__))


def with_backbone(mol: Chem.Mol, phi: float, psi: float) -> Chem.Mol:
    """MMFF94 minimum under constraints that hold phi, psi and omega = 180 degrees."""
    torsions = backbone_torsions(mol, phi, psi)
    conformer = mol.GetConformer()
    for atoms, angle in torsions:
        rdMolTransforms.SetDihedralDeg(conformer, *atoms, angle)
    field = AllChem.MMFFGetMoleculeForceField(mol, AllChem.MMFFGetMoleculeProperties(mol))
    for atoms, angle in torsions:
        field.MMFFAddTorsionConstraint(*atoms, False, angle - 2.0, angle + 2.0, 100.0)
    field.Minimize(maxIts=5000)
    return mol


def backbone_torsions(mol: Chem.Mol, phi: float, psi: float) -> list[tuple[tuple[int, ...], float]]:
    """Atoms and angle in degrees of every phi (C-N-CA-C), psi (N-CA-C-N) and omega (CA-C-N-CA)."""
    wanted = [("C(=O)N[CX4]C(=O)", (0, 2, 3, 4), phi), ("N[CX4]C(=O)N", (0, 1, 2, 4), psi)]
    wanted.append(("[CX4]C(=O)N[CX4]", (0, 1, 3, 4), 180.0))
    found = []
    for smarts, picked, angle in wanted:
        for match in mol.GetSubstructMatches(Chem.MolFromSmarts(smarts)):
            found.append((tuple(match[i] for i in picked), angle))
    return found


def gfn2_minimum(start: Atoms, log: Path) -> Atoms:
    """LBFGS with GFN2-xTB until the largest force is below `FMAX`."""
    atoms = start.copy()
    atoms.calc = labels.warm_calculator()
    if not LBFGS(atoms, logfile=str(log), maxstep=0.1).run(fmax=FMAX, steps=MAX_STEPS):
        raise RuntimeError(f"no GFN2-xTB minimum after {MAX_STEPS} steps; see {log}.")
    log.unlink()
    energy, forces = labels.energy_and_forces(atoms.numbers, atoms.positions)
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    return atoms


def check(structure: Structure, mol: Chem.Mol, atoms: Atoms) -> None:
    """The bonds and the handedness of every stereo centre must be those of the SMILES."""
    if not geometry.keeps_graph(atoms.numbers, atoms.positions, geometry.bonds(mol)):
        raise ValueError(f"{structure.name} has lost or gained a bond.")
    if stereo_centres(mol, atoms.positions) != Chem.FindMolChiralCenters(mol, useLegacyImplementation=False):
        raise ValueError(f"{structure.name} has changed the handedness of a stereo centre.")


def stereo_centres(mol: Chem.Mol, positions: np.ndarray) -> list[tuple[int, str]]:
    """(atom, R or S) as the positions have it."""
    copy = Chem.Mol(mol)
    copy.GetConformer().SetPositions(np.ascontiguousarray(positions))
    Chem.RemoveStereochemistry(copy)
    Chem.AssignStereochemistryFrom3D(copy)
    return Chem.FindMolChiralCenters(copy, useLegacyImplementation=False)


def _atoms(mol: Chem.Mol) -> Atoms:
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    positions = mol.GetConformer().GetPositions()
    return Atoms(numbers, positions - positions.mean(axis=0))


def _write(path: Path, atoms: Atoms, structure: Structure, level: str) -> None:
    atoms.info.update(name=structure.name, smiles=structure.smiles, level_of_theory=level)
    text = io.StringIO()
    write(text, atoms, format="extxyz")
    write_text(path, text.getvalue(), overwrite=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", choices=[structure.name for structure in STRUCTURES])
    parser.add_argument("--overwrite", action="store_true", help="make files that exist again")
    return parser


if __name__ == "__main__":
    sys.exit(main())
