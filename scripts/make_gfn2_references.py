"""Make models/references/gfn2, with which scripts/quality.py compares the general models: what GFN2-xTB says.

    python scripts/make_gfn2_references.py                     # the files that do not exist yet
    python scripts/make_gfn2_references.py --only pairs --overwrite

conformers.json: energies of the bundled minima. molecules.json: ten molecules of the test split at their minima, with
harmonic frequencies. pairs.json: approach of small closed-shell molecules. transfers.json: hydrogen bridges of
riboflavin in motion, whose hydrogen goes over. Needs the extra [data] (rdkit, tblite).
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from ase.optimize import LBFGS
from evaluations import references
from evaluations.approach import Approach, contact_distance
from evaluations.transfer import barrier, energies_along
from evaluations.vibrations import STEP, frequencies
from gfn2 import geometry, labels, molecules, splits
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator
from rdkit.SimDivFilters.rdSimDivPickers import MaxMinPicker
from scipy.spatial.transform import Rotation
from tblite.ase import TBLite

from sakeff.drivers.relax import largest_force
from sakeff.drivers.watch import bonds_of
from sakeff.errors import DataError, SakeffError
from sakeff.structures import load_structure

ACCURACY = 0.01  # a hundredth of tblite's thresholds: finite differences need it
SEED = 4
MAX_STEPS = 2000

CONFORMERS = ("riboflavin", "ala10_helix", "ala10_extended")
CONFORMER_FMAX = 0.005  # eV/A

MOLECULES, CANDIDATES = 10, 20
SMALLEST = 9  # atoms
STARTS = 5  # conformers of which the lowest minimum counts
MOLECULE_FMAX = 0.001  # eV/A

MONOMERS = {"H2O": "O", "CH4": "C", "NH3": "N", "CO": "[C-]#[O+]", "N2": "N#N"}
FARTHEST, SPACING = 6.0, 0.05  # A, between centres of mass
WALL, TOP = 0.5, 5.0  # eV: certainly on the wall, well inside contact
ORIENTATIONS = {"deepest": 0.0, "median": 0.5, "shallowest": 1.0}  # of the wells of random orientations
DRAWN, COARSE = 21, 4  # orientations; how many steps at a time where they are compared

TRANSFERRING = "riboflavin_gfn2"
TEMPERATURE, FRICTION = 500.0, 0.02 / units.fs
SETTLED, RUN, EVERY = 1000, 8000, 10  # steps of 1 fs
TRANSFERS, OF_ONE_BRIDGE = 8, 2  # frames in all and of the same atoms
APART = 20  # frames seen from one to the next


def main(arguments: list[str] | None = None) -> int:
    """Make the files asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=references.FOLDER, help="default: %(default)s")
    parser.add_argument("--only", choices=list(MAKERS), help="default: all")
    parser.add_argument("--overwrite", action="store_true", help="make files that exist again")
    options = parser.parse_args(arguments)
    try:
        for name in [options.only] if options.only else MAKERS:
            make(options.out / f"{name}.json", MAKERS[name], options.overwrite)
    except SakeffError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return 0


def make(path: Path, maker: Any, overwrite: bool) -> None:
    """Write one file unless it is there."""
    if path.exists() and not overwrite:
        print(f"{path.name}: kept, it exists already (--overwrite makes it again)")
        return
    references.write(path, {"level_of_theory": labels.level_of_theory(), **maker()}, overwrite)


def calculator() -> TBLite:
    """GFN2-xTB with tight thresholds; each result is independent of what was computed before."""
    return TBLite(method=labels.METHOD, verbosity=0, accuracy=ACCURACY, cache_api=False)


# ---------------------------------------------------------------- conformers


def conformers() -> dict[str, Any]:
    """Energies of the bundled minima, which must be minima."""
    return {"minima": {name: _bundled_minimum(name) for name in CONFORMERS}}


def _bundled_minimum(name: str) -> dict[str, float]:
    atoms = load_structure(f"{name}_gfn2")
    atoms.calc = calculator()
    fmax = largest_force(atoms.get_forces())
    print(f"{name}: {atoms.get_potential_energy():.6f} eV, fmax {fmax:.5f} eV/A")
    if fmax > CONFORMER_FMAX:
        raise DataError(f"{name}_gfn2 has a force of {fmax:.4f} eV/A; relax it again with scripts/make_structures.py.")
    return {"energy_eV": round(atoms.get_potential_energy(), 6), "fmax_eV_per_A": round(fmax, 6)}


# ---------------------------------------------------------------- held-out molecules


def held_out() -> dict[str, Any]:
    """Ten diverse molecules of the test split with a sound minimum."""
    found = [entry for smiles in diverse(test_molecules()) if (entry := vibrating(smiles)) is not None]
    if len(found) < MOLECULES:
        raise DataError(f"Only {len(found)} molecules have a sound minimum; take more candidates.")
    return {"fmax_eV_per_A": MOLECULE_FMAX, "step_A": STEP, "molecules": found[:MOLECULES]}


def test_molecules() -> list[str]:
    """Single molecules of the test split, not too small to vibrate in many ways, by SMILES."""
    roles = splits.assign(molecules.enumerate_molecules(), molecules.SEED)
    names = sorted(smiles for smiles, role in roles.items() if role == "test" and "." not in smiles)
    return [smiles for smiles in names if molecules.n_atoms(Chem.MolFromSmiles(smiles)) >= SMALLEST]


def diverse(smiles: list[str]) -> list[str]:
    """The most different ones, by MaxMin picking on Morgan fingerprints."""
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    prints = [generator.GetFingerprint(Chem.MolFromSmiles(one)) for one in smiles]
    return [smiles[k] for k in MaxMinPicker().LazyBitVectorPick(prints, len(prints), CANDIDATES, seed=SEED)]


def vibrating(smiles: str) -> dict[str, Any] | None:
    """Its lowest minimum and frequencies; None if bonds broke or a frequency is imaginary."""
    mol, starts = geometry.embed(smiles, STARTS, SEED)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    minima = [relaxed(Atoms(numbers, start)) for start in starts]
    atoms = min(minima, key=lambda one: one.get_potential_energy())
    fmax = largest_force(atoms.get_forces())
    waves = frequencies(atoms)
    print(f"{smiles}: {len(atoms)} atoms, fmax {fmax:.5f} eV/A, {waves[0]:.1f} to {waves[-1]:.1f} 1/cm")
    if waves[0] <= 0 or not geometry.keeps_graph(numbers, atoms.positions, geometry.bonds(mol)):
        return None
    return {
        "smiles": smiles,
        **references.as_entry(atoms),
        "energy_eV": round(atoms.get_potential_energy(), 6),
        "fmax_eV_per_A": round(fmax, 6),
        "frequencies_per_cm": np.round(waves, 2).tolist(),
    }


def relaxed(atoms: Atoms) -> Atoms:
    """At its minimum, with positions as they are written."""
    atoms.calc = calculator()
    if not LBFGS(atoms, logfile=None, maxstep=0.1).run(fmax=MOLECULE_FMAX, steps=MAX_STEPS):
        raise DataError(f"No minimum of {atoms.get_chemical_formula()} after {MAX_STEPS} steps; allow more.")
    written = references.rounded(atoms)
    written.calc = calculator()
    return written


# ---------------------------------------------------------------- pairs


def pairs() -> dict[str, Any]:
    """Scans of all pairs in three orientations each."""
    monomers = {name: monomer(smiles) for name, smiles in MONOMERS.items()}
    rng = np.random.default_rng(SEED)
    couples = itertools.combinations_with_replacement(monomers, 2)
    scans = [scan for a, b in couples for scan in scans_of(f"{a}-{b}", monomers[a], monomers[b], rng)]
    return {"top_eV": TOP, "scans": scans}


def monomer(smiles: str) -> Atoms:
    """Minimum with its centre of mass at the origin."""
    mol, starts = geometry.embed(smiles, 1, SEED)
    atoms = relaxed(Atoms([atom.GetAtomicNum() for atom in mol.GetAtoms()], starts[0]))
    atoms.positions -= atoms.get_center_of_mass()
    return atoms


def scans_of(pair: str, first: Atoms, second: Atoms, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Of random orientations those with the deepest, the median and the shallowest well."""
    drawn = [(turned(first, rng), turned(second, rng)) for _ in range(DRAWN)]
    depths = [scan(*one, SPACING * COARSE)[1].min() for one in drawn]
    ranked = np.argsort(depths)
    for name, part in ORIENTATIONS.items():
        chosen = drawn[ranked[round(part * (DRAWN - 1))]]
        distances, energies = scan(*chosen, SPACING)
        contact = contact_distance(distances, energies)
        print(f"{pair} {name}: {1000 * energies.min():.1f} meV, contact {contact:.3f} A, to {distances[-1]:.2f} A")
        yield {
            "pair": pair,
            "orientation": name,
            "first": references.as_entry(chosen[0]),
            "second": references.as_entry(chosen[1]),
            "contact_A": round(contact, 6),
            "distances_A": distances.tolist(),
            "energies_eV": energies.tolist(),
        }


def turned(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    """Turned at random, with positions as they are written."""
    copy = atoms.copy()
    copy.positions = Rotation.random(rng=rng).apply(atoms.positions)
    return references.rounded(copy)


def scan(first: Atoms, second: Atoms, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances (A) and energies (eV) inwards, until they exceed 5 eV or the method's own wall falls."""
    approach = Approach(first, second, calculator())
    distances, energies = [], []
    for distance in np.round(np.arange(FARTHEST, 0.0, -spacing), 6):
        energy = float(approach(np.array([distance]))[0][0])
        if energies and energy < energies[-1] and energies[-1] > WALL:
            break
        distances.append(distance)
        energies.append(round(energy, 6))
        if energy > TOP:
            break
    return np.array(distances), np.array(energies)


# ---------------------------------------------------------------- transfers


def transfers() -> dict[str, Any]:
    """Of riboflavin in motion at 500 K the frames in which a hydrogen comes nearest to the other end of its bridge."""
    start = load_structure(TRANSFERRING)
    bonds = np.stack(bonds_of(start)[:2], axis=1)
    frames = in_motion(start, np.random.RandomState(SEED))
    ranked = sorted(bridge for k, one in enumerate(frames) for bridge in bridges_of(one, k, bonds))
    chosen: list[tuple[float, int, tuple[int, int, int]]] = []
    for one in ranked:
        same = [other for other in chosen if other[2] == one[2]]
        if len(same) < OF_ONE_BRIDGE and all(abs(one[1] - other[1]) >= APART for other in chosen):
            chosen.append(one)
    entries = [transfer(frames[k], bridge) for _, k, bridge in chosen[:TRANSFERS]]
    return {"temperature_K": TEMPERATURE, "transfers": entries}


def in_motion(atoms: Atoms, rng: np.random.RandomState) -> list[Atoms]:
    """Every tenth femtosecond of Langevin dynamics, after a picosecond to settle, positions as they are written."""
    atoms.calc = labels.warm_calculator()
    thermalize_momenta(atoms, TEMPERATURE, rng=rng)
    engine = Langevin(atoms, 1.0 * units.fs, temperature_K=TEMPERATURE, friction=FRICTION, rng=rng, fixcm=False)
    engine.run(SETTLED)
    frames = []
    for _ in range(RUN // EVERY):
        engine.run(EVERY)
        frames.append(references.rounded(atoms))
    return frames


def bridges_of(atoms: Atoms, index: int, bonds: np.ndarray) -> list[tuple[float, int, tuple[int, int, int]]]:
    """(H...Y in A, index of the frame, bridge) of every bridge."""
    found = geometry.hydrogen_bridges(atoms.numbers, atoms.positions, bonds)
    return [(atoms.get_distance(h, y), index, (x, h, y)) for x, h, y in found]


def transfer(atoms: Atoms, bridge: tuple[int, int, int]) -> dict[str, Any]:
    """The frame and its energies along the way."""
    energies = np.round(energies_along(atoms, bridge, calculator()), 6)
    names = "-".join(f"{atoms.symbols[k]}{k}" for k in bridge)
    print(f"{names}: {atoms.get_distance(bridge[0], bridge[2]):.2f} A, {barrier(energies):.3f} eV")
    return {"bridge": list(bridge), **references.as_entry(atoms), "energies_eV": energies.tolist()}


MAKERS = {"conformers": conformers, "molecules": held_out, "pairs": pairs, "transfers": transfers}


if __name__ == "__main__":
    sys.exit(main())
