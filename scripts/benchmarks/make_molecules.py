"""Make the molecules of the benchmark that sakeff does not bundle: MMFF94 minima from SMILES, with a fixed seed.

    PYTHONPATH=scripts python -m benchmarks.make_molecules --overwrite

Aspirin, and Ac-Ala15-NHMe as a helix with the backbone angles held. Needs rdkit (extra [data]).
"""

import argparse
import io

from ase import Atoms
from ase.io import write
from make_structures import with_backbone
from rdkit import Chem
from rdkit.Chem import AllChem

from benchmarks.structures import MOLECULES
from sakeff.io import write_text

SEED = 7
HELIX = (-57.0, -47.0)  # phi and psi, degrees
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
ALA15 = "CC(=O)" + "N[C@@H](C)C(=O)" * 15 + "NC"


def embedded(smiles: str) -> Chem.Mol:
    """One conformer with all hydrogens, from distance geometry."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if AllChem.EmbedMolecule(mol, randomSeed=SEED, useRandomCoords=True) != 0:
        raise SystemExit(f"rdkit found no conformer of {smiles}.")
    return mol


def aspirin() -> Chem.Mol:
    """The minimum next to the embedded conformer."""
    mol = embedded(ASPIRIN)
    AllChem.MMFFOptimizeMolecule(mol, maxIters=5000)
    return mol


def ala15() -> Chem.Mol:
    """An alpha helix of 162 atoms."""
    return with_backbone(embedded(ALA15), *HELIX)


def as_text(mol: Chem.Mol, name: str) -> str:
    """The molecule, centred, in extended xyz."""
    positions = mol.GetConformer().GetPositions()
    atoms = Atoms([atom.GetAtomicNum() for atom in mol.GetAtoms()], positions - positions.mean(axis=0))
    atoms.info.update(name=name, smiles=Chem.MolToSmiles(Chem.RemoveHs(mol)), level_of_theory="MMFF94")
    text = io.StringIO()
    write(text, atoms, format="extxyz")
    return text.getvalue()


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overwrite", action="store_true")
    options = parser.parse_args()
    for name, make in {"aspirin": aspirin, "ala15": ala15}.items():
        write_text(MOLECULES / f"{name}.xyz", as_text(make(), name), options.overwrite)


if __name__ == "__main__":
    main()
