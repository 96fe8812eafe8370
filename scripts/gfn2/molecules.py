"""Which molecules the data set holds: enumerated with RDKit, filtered, and put into a fixed order."""

from __future__ import annotations

import functools
import itertools
import random
from dataclasses import dataclass

from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from . import curated

MAX_ATOMS = 23  # hydrogens included
WALL_FRAMES = 1440
THOROUGH_FRAMES = 480
PATH_FRAMES = 1200
STRAND_FRAMES = 2400
BRIDGE_FRAMES = 480
RELEVANT_FRAMES = 120
FRAMES = 40
CLOSEST, CLOSEST_OF_WALLS = 0.55, 0.42  # of the van der Waals distance: how near the parts of a complex are placed
SEED = 20240

_ELEMENTS = {1, 6, 7, 8}
_UNWANTED = [
    Chem.MolFromSmarts(smarts)
    for smarts in (
        "[#7;!a]~[#7]~[#7]",  # chains of three nitrogens
        "[#7;a]~[#7;a]~[#7;a]~[#7;a]",
        "[OX2][OX2]",
        "[OX2][NX3][OX2]",
        "[NX3;!$(N~O);!$(NC=O)]-[NX3]-[OX2]",
        "[OX2H][CX4][OX2H]",  # geminal: water leaves
        "[NX3H2][CX4][OX2H]",
        "[NX3H2][CX4][NX3H2]",
        "[OX2H][CX4;r3]",
        "[R]=[CR]=[R]",
        "[R]#[R]",
        "C=C=C=*",
        "[OX2H][NX3]",
        "[OX2H]C#*",
        "[NX3H2]C#C",
        "[#7;a]-[OX2H,NX3H2]",
        "[OX2H]C(=O)O*",
        "[OX2H]C(=O)[NX3]",  # carbamic acids: carbon dioxide leaves
        "O=C[CX3]=[OX1].O=C[CX3]=[OX1]",  # two alpha-dicarbonyls
    )
]

_HETERO_PAIR = Chem.MolFromSmarts("[#7,#8;!a]-[#7,#8;!a]")


@dataclass(frozen=True)
class Molecule:
    """One entry of the data set: canonical SMILES without stereo marks (`.` joins the parts of a complex).

    `path_frames`, `strand_frames` and `bridge_frames` come on top of `frames`: along relaxations of turned rotors;
    along relaxations of stretched backbones; with the hydrogen of a bridge anywhere between its heavy atoms.
    """

    smiles: str
    frames: int
    closest: float = CLOSEST
    path_frames: int = 0
    strand_frames: int = 0
    bridge_frames: int = 0

    @property
    def is_complex(self) -> bool:
        """True for several molecules without a bond between them."""
        return "." in self.smiles


def canonical(smiles: str) -> str | None:
    """Canonical SMILES without stereo marks, None where RDKit refuses the molecule.

    Diastereomers share one SMILES, so they never end up on both sides of a split.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            return None
        Chem.RemoveStereochemistry(mol)
        return Chem.MolToSmiles(mol)


def n_atoms(mol: Chem.Mol) -> int:
    """Atoms of the molecule, hydrogens included."""
    return mol.GetNumAtoms() + sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())


def scaffold(smiles: str) -> str:
    """Murcko scaffold; empty for molecules without a ring."""
    return MurckoScaffold.MurckoScaffoldSmiles(mol=Chem.MolFromSmiles(smiles))


def is_allowed(smiles: str) -> bool:
    """Neutral, closed-shell, HCNO, 2-23 atoms, and none of the molecules that are kept for tests."""
    mol = Chem.MolFromSmiles(smiles)
    elements = {atom.GetAtomicNum() for atom in mol.GetAtoms()}
    return (
        elements <= _ELEMENTS
        and 2 <= n_atoms(mol) <= MAX_ATOMS
        and Chem.GetFormalCharge(mol) == 0
        and not any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms())
        and not forbidden_in(smiles)
    )


def forbidden_in(smiles: str) -> bool:
    """True if the molecule, or a part of the complex, is kept for tests (in any stereochemistry)."""
    return any(canonical(part) in _forbidden() for part in smiles.split("."))


@functools.cache
def _forbidden() -> frozenset[str | None]:
    return frozenset(canonical(text) for text in curated.FORBIDDEN)


def is_sane(mol: Chem.Mol) -> bool:
    """Filter for enumerated molecules: none of the groups that fall apart or strain beyond chemistry."""
    return not any(mol.HasSubstructMatch(pattern) for pattern in _UNWANTED)


def is_common(mol: Chem.Mol) -> bool:
    """Sane, and without bonds between nitrogen and oxygen atoms that are not aromatic."""
    return is_sane(mol) and not mol.HasSubstructMatch(_HETERO_PAIR)


def enumerate_molecules(seed: int = SEED) -> list[Molecule]:
    """All entries, most relevant first; every prefix is diverse. Same seed and same RDKit, same list."""
    rng = random.Random(seed)  # noqa: S311 - no secrets here
    relevant = _unique(curated.RELEVANT, set())
    taken = set(relevant)
    wall = _unique(_pairs(curated.WALL_PARTNERS), taken)
    taken.update(wall)
    known = _unique(curated.CURATED, taken)
    taken.update(known)
    rings = _unique(_aza_rings(), taken)
    taken.update(rings)
    cores = _unique(curated.GROWTH_CORES + known + relevant + _thin(rings, 150), set())
    grown = [smiles for smiles in _grow(cores, 1400, rng) if smiles not in taken]
    complexes = _complexes(taken, 300, rng)
    for group in (relevant, known, rings, complexes):
        rng.shuffle(group)
    first = [Molecule(smiles, RELEVANT_FRAMES) for smiles in _spread(relevant, wall)]
    second = [Molecule(smiles, FRAMES) for smiles in _spread(known, complexes[:100])]
    third = [Molecule(smiles, FRAMES) for smiles in _spread(grown, complexes[100:], rings)]
    return _with_thorough(first + second + third)


def _with_thorough(entries: list[Molecule]) -> list[Molecule]:
    """The entries, with more frames of those that matter most; these come first.

    An ordinary entry stays as it is, even if it is on the list: it may be held out.
    """
    ordinary = {entry.smiles for entry in entries if entry.frames == FRAMES}
    walls = _unique(_pairs(curated.WALL_PARTNERS), ordinary)
    chosen = [Molecule(smiles, WALL_FRAMES, CLOSEST_OF_WALLS) for smiles in walls]
    chosen += [
        Molecule(smiles, THOROUGH_FRAMES, path_frames=PATH_FRAMES, strand_frames=STRAND_FRAMES)
        for smiles in _unique(curated.RESIDUES, ordinary)
    ]
    chosen += [Molecule(smiles, THOROUGH_FRAMES) for smiles in _unique(curated.AMIDE_COMPLEXES, ordinary)]
    bridged = _unique(curated.BRIDGES, ordinary | {entry.smiles for entry in chosen})
    chosen += [Molecule(smiles, RELEVANT_FRAMES, bridge_frames=BRIDGE_FRAMES) for smiles in bridged]
    replaced = {entry.smiles for entry in chosen}
    return chosen + [entry for entry in entries if entry.smiles not in replaced]


def _unique(texts: list[str], taken: set[str]) -> list[str]:
    canonicals = (canonical(text) for text in texts)
    return [s for s in dict.fromkeys(canonicals) if s is not None and s not in taken and is_allowed(s)]


def _spread(*groups: list[str]) -> list[str]:
    """Merge lists so that each is spread evenly over the result."""
    keyed = [((i + 0.5) / len(group), s) for group in groups for i, s in enumerate(group)]
    return [smiles for _, smiles in sorted(keyed)]


def _pairs(partners: list[str]) -> list[str]:
    return [f"{a}.{b}" for a, b in itertools.combinations_with_replacement(partners, 2)]


def _complexes(taken: set[str], count: int, rng: random.Random) -> list[str]:
    """Dimers of the partners, and up to four waters, ammonias or methanols around one of them."""
    solvated = [
        ".".join([solute] + [solvent] * k)
        for solute in curated.PARTNERS
        for solvent, counts in (("O", (2, 3, 4)), ("N", (2,)), ("CO", (2,)))
        for k in counts
    ]
    pool = _unique(_pairs(curated.PARTNERS) + solvated, taken)
    return rng.sample(pool, min(count, len(pool)))


def _aza_rings() -> list[str]:
    """Rings in which one to three CH or CH2 of a parent are exchanged for N, NH or O."""
    found: dict[str, None] = {}
    for parent in curated.RING_PARENTS:
        level = [canonical(parent)]
        for _ in range(3):
            level = _thin(sorted({s for smiles in level for s in exchanged(smiles)}), 120)
            found.update(dict.fromkeys(level))
    return [s for s in found if is_common(Chem.MolFromSmiles(s))]


def _thin(items: list[str], count: int) -> list[str]:
    return items[:: max(1, -(-len(items) // count))]


def exchanged(smiles: str) -> set[str]:
    """The molecules with one CH or CH2 exchanged for N, NH or O."""
    mol = Chem.MolFromSmiles(smiles)
    carbons = [a for a in mol.GetAtoms() if a.GetAtomicNum() == 6 and a.GetTotalNumHs() > 0]
    edits = [(a.GetIdx(), z) for a in carbons for z in ((7,) if a.GetIsAromatic() else (7, 8))]
    return {s for index, z in edits if (s := _with_element(mol, index, z)) is not None}


def _with_element(mol: Chem.Mol, index: int, atomic_number: int) -> str | None:
    edited = Chem.RWMol(mol)
    edited.GetAtomWithIdx(index).SetAtomicNum(atomic_number)
    return _sanitised(edited)


def _grow(cores: list[str], count: int, rng: random.Random) -> list[str]:
    """`count` molecules with one to three substituents, taken from the cores in turn."""
    queues = []
    for core in cores:
        children = sorted({s for _ in range(14) if (s := decorated(core, rng)) is not None})
        rng.shuffle(children)
        queues.append(children)
    rng.shuffle(queues)
    return list(itertools.islice(filter(is_allowed, in_turn(queues)), count))


def in_turn(queues: list[list[str]]) -> list[str]:
    """Distinct items, one from each list before the second of any."""
    return list(dict.fromkeys(s for row in itertools.zip_longest(*queues) for s in row if s is not None))


def decorated(core: str, rng: random.Random) -> str | None:
    """The core with one to three substituents; None where this try gives nothing sane."""
    smiles: str | None = core
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        smiles = _attach(smiles, rng)
        if smiles is None:
            return None
    mol = Chem.MolFromSmiles(smiles)
    return smiles if is_sane(mol) and n_atoms(mol) <= MAX_ATOMS else None


def _attach(smiles: str, rng: random.Random) -> str | None:
    """Exchange one hydrogen for a substituent, or two on one carbon for =O."""
    mol = Chem.MolFromSmiles(smiles)
    sites = [a.GetIdx() for a in mol.GetAtoms() if a.GetTotalNumHs() > 0]
    if not sites:
        return None
    site = rng.choice(sites)
    atom = mol.GetAtomWithIdx(site)
    twice = atom.GetTotalNumHs() >= 2 and atom.GetAtomicNum() == 6 and rng.random() < 0.15
    fragment = Chem.MolFromSmiles("O" if twice else rng.choice(curated.SUBSTITUENTS))
    edited = Chem.RWMol(Chem.CombineMols(mol, fragment))
    edited.AddBond(site, mol.GetNumAtoms(), Chem.BondType.DOUBLE if twice else Chem.BondType.SINGLE)
    if atom.GetNumExplicitHs():
        edited.GetAtomWithIdx(site).SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
    return _sanitised(edited)


def _sanitised(edited: Chem.RWMol) -> str | None:
    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(edited)
        except (ValueError, RuntimeError):
            return None
        return canonical(Chem.MolToSmiles(edited))
