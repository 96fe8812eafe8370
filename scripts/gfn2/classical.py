"""Geometries of one entry by classical dynamics: MMFF94 costs next to nothing beside the GFN2-xTB label of a frame."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from rdkit import Chem, rdBase
from rdkit.Chem import AllChem

from . import geometry, sampling
from .molecules import Molecule
from .sampling import Sample

SHARE = 0.5  # of the frames of an entry
WALLS, WALL_SHARE = 1000, 1.5  # entries with so many frames are small pairs, whose walls ask for many
BRIDGE_SHARE = 0.25
DYNAMICS, TORSIONS, BONDS = 0.7, 0.2, 0.1  # shares of the frames of a molecule
FRAMES_PER_CONFORMER = 5
PULL = 100.0  # kcal/mol/Angstrom^2
KCAL = units.kcal / units.mol


class ForceField(Calculator):
    """MMFF94 of RDKit, or UFF where MMFF94 has no parameters, for ASE. Raises `ValueError` where both have none."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, mol: Chem.Mol, **settings: Any) -> None:
        super().__init__(**settings)
        self.mol = geometry.with_positions(mol, np.zeros((mol.GetNumAtoms(), 3)))  # the field points into it
        self.field = _force_field(self.mol)

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Energy in eV and forces in eV/Angstrom."""
        super().calculate(atoms, properties, system_changes)
        flat = self.atoms.positions.ravel().tolist()
        energy = self.field.CalcEnergy(flat)  # first: the gradient is of the distances that this call computes
        gradient = np.array(self.field.CalcGrad(flat)).reshape(-1, 3)
        self.results = {"energy": energy * KCAL, "forces": -gradient * KCAL}


def _force_field(mol: Chem.Mol) -> Any:
    with rdBase.BlockLogs():
        Chem.GetSymmSSSR(mol)
        properties = AllChem.MMFFGetMoleculeProperties(mol)
        if properties is not None:
            field = AllChem.MMFFGetMoleculeForceField(mol, properties, ignoreInterfragInteractions=False)
        else:
            field = AllChem.UFFGetMoleculeForceField(mol, ignoreInterfragInteractions=False)
    if field is None:
        raise ValueError("neither MMFF94 nor UFF has parameters for this molecule.")
    field.Initialize()
    return field


def relaxed(mol: Chem.Mol, positions: np.ndarray, steps: int = 200) -> np.ndarray:
    """Positions near the force field's minimum."""
    moved = geometry.with_positions(mol, positions)
    _force_field(moved).Minimize(maxIts=steps)
    return moved.GetConformer().GetPositions()


def pulled_together(mol: Chem.Mol, positions: np.ndarray, pair: tuple[int, int], distance: float) -> np.ndarray:
    """Positions near the force field's minimum with the two atoms no farther apart than `distance` (Angstrom)."""
    moved = geometry.with_positions(mol, positions)
    field = _force_field(moved)
    field.MMFFAddDistanceConstraint(*pair, False, 0.0, distance, PULL)
    field.Minimize(maxIts=500)
    return moved.GetConformer().GetPositions()


def sample(molecule: Molecule, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Atomic numbers, bonded pairs and the samples of one entry, in place of `sampling.sample`."""
    if molecule.is_complex:
        return sample_complex(molecule, rng)
    count = round(SHARE * molecule.frames)
    mol, starts = geometry.embed(molecule.smiles, max(2, count // FRAMES_PER_CONFORMER), int(rng.integers(2**31 - 1)))
    numbers, pairs = geometry.atomic_numbers(mol), geometry.bonds(mol)
    minima = [relaxed(mol, start) for start in starts]
    if not minima:
        return numbers, pairs, []
    moved = dynamics(mol, numbers, minima, round(DYNAMICS * count), sampling.TEMPERATURES, rng)
    torsions = sampling.torsion_samples(mol, numbers, minima, round(TORSIONS * count), rng)
    stretched = sampling.bond_samples(mol, minima, round(BONDS * count), rng)
    return (
        numbers,
        pairs,
        [
            *(Sample(p, intact=intact) for frames, intact in ((moved, True), (torsions, True)) for p in frames),
            *(Sample(p, intact=False) for p in stretched),
        ],
    )


def sample_complex(molecule: Molecule, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[Sample]]:
    """Parts placed at random from inside contact to 6 Angstrom apart; a third is set in motion."""
    parts, mols = [], []
    for smiles in molecule.smiles.split("."):
        mol, starts = geometry.embed(smiles, 1, int(rng.integers(2**31 - 1)))
        if not starts:
            return np.zeros(0, int), np.zeros((0, 2), int), []
        parts.append((geometry.atomic_numbers(mol), relaxed(mol, starts[0]), geometry.bonds(mol)))
        mols.append(mol)
    whole = mols[0]
    for mol in mols[1:]:
        whole = Chem.CombineMols(whole, mol)
    numbers, pairs = geometry.atomic_numbers(whole), geometry.bonds(whole)
    share = WALL_SHARE if molecule.frames >= WALLS else SHARE
    count = round(share * molecule.frames)
    placed = [sampling.assemble(parts, molecule.closest, rng) for _ in range(count - count // 3)]
    close = [p for p in placed if geometry.closest_contact(numbers, p, pairs) < 1.3] or placed
    ends = [relaxed(whole, close[i], steps=100) for i in range(min(len(close), 1 + count // 30))]
    moved = dynamics(whole, numbers, ends, count // 3, sampling.COMPLEX_TEMPERATURES, rng)
    bridged = sampling.bridge_samples(numbers, ends, pairs, round(BRIDGE_SHARE * molecule.bridge_frames), rng)
    return numbers, pairs, [Sample(p, intact=False) for p in placed + moved + bridged]


def dynamics(
    mol: Chem.Mol,
    numbers: np.ndarray,
    starts: list[np.ndarray],
    count: int,
    temperatures: tuple[float, float],
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """`count` frames of Langevin dynamics in runs of five, as `sampling.dynamics`, with the force field."""
    return sampling.dynamics(numbers, starts, count, temperatures, rng, lambda: ForceField(mol))
