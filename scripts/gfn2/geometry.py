"""Bond graphs, random rotations and placements: the geometry that sampling needs."""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii, vdw_radii
from rdkit import Chem
from rdkit.Chem import AllChem, rdMolTransforms
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.transform import Rotation

Dihedral = tuple[int, int, int, int]  # atoms, in the order of the chain

STRETCHED = 1.45  # a bond is broken beyond this multiple of the covalent radii
TOUCHING = 1.15  # two atoms without a bond have reacted below this multiple
BRIDGED = 2.7  # Angstrom, the longest H...Y of a hydrogen bridge X-H...Y


def atomic_numbers(mol: Chem.Mol) -> np.ndarray:
    """Of all atoms, (n,)."""
    return np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])


def bonds(mol: Chem.Mol) -> np.ndarray:
    """Bonded pairs of the molecular graph, (B, 2)."""
    return np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()], int).reshape(-1, 2)


def keeps_graph(numbers: np.ndarray, positions: np.ndarray, pairs: np.ndarray) -> bool:
    """True if exactly the atoms joined in the molecular graph are at bonding distance."""
    ratio = _ratio(numbers, positions, covalent_radii)
    bonded = np.zeros(ratio.shape, bool)
    bonded[pairs[:, 0], pairs[:, 1]] = bonded[pairs[:, 1], pairs[:, 0]] = True
    return bool(np.all(ratio[bonded] < STRETCHED) and np.all(ratio[~bonded] > TOUCHING))


def closest_contact(numbers: np.ndarray, positions: np.ndarray, pairs: np.ndarray) -> float:
    """Smallest distance between atoms three or more bonds apart, as a multiple of their van der Waals radii."""
    ratio = _ratio(numbers, positions, vdw_radii)
    near = np.zeros(ratio.shape, bool)
    near[pairs[:, 0], pairs[:, 1]] = near[pairs[:, 1], pairs[:, 0]] = True
    near = near | (near.astype(int) @ near.astype(int) > 0)
    return float(np.min(ratio[~near], initial=np.inf))


def _ratio(numbers: np.ndarray, positions: np.ndarray, radii: np.ndarray) -> np.ndarray:
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    return distance / (radii[numbers][:, None] + radii[numbers][None])


def bonds_apart(n_atoms: int, pairs: np.ndarray) -> np.ndarray:
    """How many bonds lie between two atoms, (n, n); infinite between molecules."""
    graph = np.zeros((n_atoms, n_atoms))
    graph[pairs[:, 0], pairs[:, 1]] = 1.0
    return shortest_path(graph, directed=False, unweighted=True)


def hydrogen_bridges(numbers: np.ndarray, positions: np.ndarray, pairs: np.ndarray) -> list[tuple[int, int, int]]:
    """(X, H, Y) of the hydrogen bridges X-H...Y, X and Y nitrogen or oxygen, Y at least four bonds from H."""
    apart = bonds_apart(len(numbers), pairs)
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    polar, hydrogen = np.isin(numbers, (7, 8)), numbers == 1
    donors = np.argwhere((apart == 1) & polar[:, None] & hydrogen[None])
    bridged = (apart >= 4) & (distance < BRIDGED) & polar[None]
    return [(int(x), int(h), int(y)) for x, h in donors for y in np.flatnonzero(bridged[h])]


def stretch_bridge(positions: np.ndarray, pairs: np.ndarray, ends: tuple[int, int], length: float) -> np.ndarray:
    """Move the molecule of the second end until the ends are `length` apart; a plain copy within one molecule."""
    moved = positions.copy()
    apart = bonds_apart(len(positions), pairs)[ends[1]]
    if np.isinf(apart[ends[0]]):
        axis = positions[ends[1]] - positions[ends[0]]
        moved[np.isfinite(apart)] += (length / np.linalg.norm(axis) - 1.0) * axis
    return moved


def embed(smiles: str, count: int, seed: int) -> tuple[Chem.Mol, list[np.ndarray]]:
    """Molecule with hydrogens and up to `count` ETKDG conformers; open stereo centres fall either way."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    settings = AllChem.ETKDGv3()
    settings.randomSeed = seed
    settings.numThreads = 1
    settings.useRandomCoords = True
    settings.pruneRmsThresh = 0.1
    settings.maxIterations = 200
    ids = AllChem.EmbedMultipleConfs(mol, count, settings)
    return mol, [mol.GetConformer(i).GetPositions() for i in ids]


def rotor_bonds(mol: Chem.Mol) -> list[tuple[int, int]]:
    """Single bonds outside rings with heavy neighbours or rotors of hydrogen (OH, NH2, CH3) on both ends."""
    pattern = Chem.MolFromSmarts("[!$([D1])]-&!@[!$([D1])]")
    return list(mol.GetSubstructMatches(pattern))


def turn(mol: Chem.Mol, positions: np.ndarray, bond: tuple[int, int], angle: float) -> np.ndarray:
    """Rotate the atoms behind `bond` by `angle` (radians) about it."""
    moving = _side(mol, *bond)
    origin = positions[bond[0]]
    axis = positions[bond[1]] - origin
    rotation = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
    turned = positions.copy()
    turned[moving] = origin + rotation.apply(positions[moving] - origin)
    return turned


def backbone(mol: Chem.Mol) -> tuple[list[Dihedral], list[Dihedral]]:
    """Atoms of every phi, C(=O)-N-CA-C(=O), and psi, N-CA-C-X, of a peptide; X is what is opposite to the oxygen.

    A terminal aldehyde has its hydrogen there.
    """
    phi = mol.GetSubstructMatches(Chem.MolFromSmarts("[CX3](=O)[NX3][CX4][CX3](=O)"))
    psi = mol.GetSubstructMatches(Chem.MolFromSmarts("[NX3][CX4][CX3](=O)[!C]"))
    return [(c, n, ca, c2) for c, _, n, ca, c2, _ in phi], [(n, ca, c, x) for n, ca, c, _, x in psi]


def with_positions(mol: Chem.Mol, positions: np.ndarray) -> Chem.Mol:
    """A copy of the molecule with these positions as its only conformer."""
    copy = Chem.Mol(mol)
    copy.RemoveAllConformers()
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(np.ascontiguousarray(positions))
    copy.AddConformer(conformer)
    return copy


def set_dihedral(mol: Chem.Mol, positions: np.ndarray, atoms: Dihedral, degrees: float) -> np.ndarray:
    """Turn what is behind the middle bond until the dihedral has this value."""
    conformer = with_positions(mol, positions).GetConformer()
    rdMolTransforms.SetDihedralDeg(conformer, *atoms, degrees)
    return conformer.GetPositions()


def turn_dihedral(mol: Chem.Mol, positions: np.ndarray, atoms: Dihedral, degrees: float) -> np.ndarray:
    """Turn what is behind the middle bond by so much."""
    conformer = with_positions(mol, positions).GetConformer()
    rdMolTransforms.SetDihedralDeg(conformer, *atoms, rdMolTransforms.GetDihedralDeg(conformer, *atoms) + degrees)
    return conformer.GetPositions()


def scale_bond(mol: Chem.Mol, positions: np.ndarray, bond: tuple[int, int], factor: float) -> np.ndarray:
    """Shift the atoms behind `bond` along it until the bond is `factor` times as long."""
    moving = _side(mol, *bond)
    scaled = positions.copy()
    scaled[moving] += (factor - 1.0) * (positions[bond[1]] - positions[bond[0]])
    return scaled


def _side(mol: Chem.Mol, near: int, far: int) -> list[int]:
    """Atoms reached from `far` without crossing the bond to `near` (not for ring bonds)."""
    seen, stack = {near, far}, [far]
    while stack:
        for neighbour in mol.GetAtomWithIdx(stack.pop()).GetNeighbors():
            if neighbour.GetIdx() not in seen:
                seen.add(neighbour.GetIdx())
                stack.append(neighbour.GetIdx())
    return sorted(seen - {near})


def turned(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The positions about their centroid, turned at random."""
    return Rotation.random(random_state=rng).apply(positions - positions.mean(axis=0))


def place(
    numbers: np.ndarray,
    positions: np.ndarray,
    new_numbers: np.ndarray,
    new: np.ndarray,
    ratio: float,
    gap: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Positions of a second part, moved in along a random direction, not turned.

    It comes to rest where the closest pair is at `ratio` times its van der Waals distance or, if `gap` is given, at
    that distance in Angstrom.
    """
    new = new - new.mean(axis=0)
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    centre = positions.mean(axis=0)
    wanted = vdw_radii[numbers][:, None] + vdw_radii[new_numbers][None]
    wanted = ratio * wanted if gap is None else np.full_like(wanted, gap)
    separation = new[None] - (positions - centre)[:, None]
    # |separation + t direction| >= wanted for all pairs beyond the largest root of each quadratic
    along = separation @ direction
    discriminant = along**2 - np.sum(separation**2, axis=-1) + wanted**2
    roots = -along + np.sqrt(np.maximum(discriminant, 0.0))
    distance = np.max(roots, where=discriminant >= 0, initial=0.0)
    return new + centre + distance * direction
