"""The data set generator: what is enumerated, how it is split, that labels are right and a run can be resumed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="rdkit is not installed (extra [data])")
pytest.importorskip("tblite", reason="tblite is not installed (extra [data])")

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import make_gfn2_dataset as generator
from ase import Atoms
from gfn2 import (
    analogues,
    classical,
    curated,
    exploration,
    geometry,
    labels,
    molecules,
    sampling,
    splits,
    strands,
    twins,
)
from rdkit import Chem

from sakeff.data.frames import Frames, load
from sakeff.engines.ase import SAKECalculator
from sakeff.errors import DataError

RIBOFLAVIN = "Cc1cc2nc3c(=O)[nH]c(=O)nc-3n(C[C@H](O)[C@H](O)[C@H](O)CO)c2cc1C"


@pytest.fixture(scope="module")
def entries() -> list[molecules.Molecule]:
    return molecules.enumerate_molecules()


@pytest.fixture(scope="module")
def roles(entries) -> dict[str, str]:
    return splits.assign(entries, molecules.SEED)


def test_enough_distinct_molecules_and_scaffolds(entries):
    single = [entry.smiles for entry in entries if not entry.is_complex]
    assert len({entry.smiles for entry in entries}) == len(entries)
    assert len(single) >= 1500
    assert len({molecules.scaffold(smiles) for smiles in single} - {""}) >= 300
    assert sum(entry.frames for entry in entries) >= 60_000


def test_every_entry_is_canonical_and_in_scope(entries):
    for entry in entries:
        mol = Chem.AddHs(Chem.MolFromSmiles(entry.smiles))
        assert 2 <= mol.GetNumAtoms() <= 23, entry
        assert {atom.GetSymbol() for atom in mol.GetAtoms()} <= set("HCNO"), entry
        assert Chem.GetFormalCharge(mol) == 0, entry
        assert not any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()), entry
        assert molecules.canonical(entry.smiles) == entry.smiles


def test_test_structures_are_never_in(entries):
    names = {part for entry in entries for part in entry.smiles.split(".")}
    assert not names & {molecules.canonical(smiles) for smiles in curated.FORBIDDEN}
    assert molecules.forbidden_in(f"O.{RIBOFLAVIN}")
    assert molecules.forbidden_in("CC(=O)" + "N[C@@H](C)C(=O)" * 10 + "N")
    assert not molecules.forbidden_in("CC(=O)NC(C)C(=O)NC")


def test_shards_of_test_structures_are_refused(tmp_path):
    with pytest.raises(DataError, match="kept for tests"):
        generator.make_shard(molecules.Molecule(RIBOFLAVIN, 40), tmp_path, 1)
    assert not list(tmp_path.iterdir())


def test_relevant_molecules_come_first(entries):
    first = {entry.smiles for entry in entries[:200]}
    for smiles in ("CC(=O)NC(C)C(=O)NC", "CNC(C)=O", "OCC(O)C(O)C(O)CO", "Cc1ccccc1C", "O.O", "O=c1cc[nH]c(=O)[nH]1"):
        assert molecules.canonical(smiles) in first


def test_walls_residues_amides_and_bridges_are_sampled_thoroughly(entries):
    walls = [entry.smiles for entry in entries if entry.frames == molecules.WALL_FRAMES]
    assert len(walls) == 15  # all pairs of five molecules
    assert all(set(s.split(".")) <= {"O", "C", "N", "N#N", "[C-]#[O+]"} for s in walls)
    assert {entry.closest for entry in entries if entry.smiles in walls} == {molecules.CLOSEST_OF_WALLS}
    thorough = {entry.smiles for entry in entries if entry.frames == molecules.THOROUGH_FRAMES}
    residues = {entry.smiles for entry in entries if entry.path_frames == molecules.PATH_FRAMES}
    assert residues == {molecules.canonical(smiles) for smiles in curated.RESIDUES} <= thorough
    assert residues == {entry.smiles for entry in entries if entry.strand_frames == molecules.STRAND_FRAMES}
    bridged = {entry.smiles for entry in entries if entry.bridge_frames == molecules.BRIDGE_FRAMES}
    assert bridged == {molecules.canonical(smiles) for smiles in curated.BRIDGES}
    ordinary = {entry.smiles for entry in entries if entry.frames == molecules.FRAMES}
    assert {molecules.canonical(smiles) for smiles in curated.AMIDE_COMPLEXES} <= thorough | ordinary


def test_curated_smiles_are_all_used(entries):
    names = {entry.smiles for entry in entries}
    known = {molecules.canonical(smiles) for smiles in curated.RELEVANT + curated.CURATED}
    assert known <= names


def test_same_seed_same_list(entries):
    assert molecules.enumerate_molecules() == entries


def test_split_holds_out_whole_molecules_that_no_complex_shows(entries, roles):
    complexes = [entry.smiles for entry in entries if entry.is_complex]
    shown = {part for smiles in complexes for part in smiles.split(".")}
    counts = {role: sum(r == role and "." not in s for s, r in roles.items()) for role in ("test", "valid")}
    assert counts == {"test": 160, "valid": 60}
    assert not {s for s, role in roles.items() if role != "train"} & shown
    assert {roles[entry.smiles] for entry in entries if entry.frames > molecules.FRAMES} == {"train"}


def test_a_molecule_never_changes_sides_with_the_order(entries, roles):
    assert splits.assign(entries[::-1], molecules.SEED) == roles


def test_analogues_are_new_molecules_and_all_for_training(entries, roles, monkeypatch):
    monkeypatch.setattr(analogues, "enumerate_molecules", lambda seed: entries[::40])
    with monkeypatch.context() as patch:
        patch.setattr(splits, "assign", lambda some, seed: roles)
        found = analogues.analogues(60, molecules.SEED)
        assert analogues.analogues(20, molecules.SEED) == found[:20]
    names = [one.smiles for one in found]
    assert len(set(names)) == 60
    assert not set(names) & set(roles)
    assert all(molecules.canonical(name) == name and molecules.is_allowed(name) for name in names)
    assert splits.assign(entries + found, molecules.SEED) == {**roles, **dict.fromkeys(names, "train")}


def test_an_analogue_differs_in_one_atom_or_in_substituents(monkeypatch):
    core = molecules.canonical("c1ccccc1CO")
    monkeypatch.setattr(analogues, "enumerate_molecules", lambda seed: [molecules.Molecule(core, 120)])
    monkeypatch.setattr(splits, "assign", lambda some, seed: {core: "train"})
    names = {one.smiles for one in analogues.analogues(100, molecules.SEED)}
    assert molecules.canonical("n1ccccc1CO") in names
    assert molecules.canonical("c1ccccc1OO") not in names  # peroxides are refused
    grown = [name for name in names if Chem.MolFromSmiles(name).HasSubstructMatch(Chem.MolFromSmiles(core))]
    assert grown
    assert all(len(Chem.MolFromSmiles(name).GetAtoms()) > 8 for name in grown)


def test_forces_are_the_derivative_of_the_energy():
    numbers = np.array([8, 1, 1])
    positions = np.array([[0.0, 0.0, 0.1], [0.8, 0.1, -0.5], [-0.7, 0.2, -0.6]])
    _, forces = labels.energy_and_forces(numbers, positions)
    step = np.zeros_like(positions)
    step[1, 0] = 1e-3
    ahead, behind = (labels.energy_and_forces(numbers, positions + sign * step)[0] for sign in (1, -1))
    np.testing.assert_allclose(forces[1, 0], (behind - ahead) / 2e-3, rtol=2e-4)


def test_broken_graphs_are_dropped_and_counted():
    mol, (start,) = geometry.embed("O", 1, 3)
    numbers, pairs = np.array([8, 1, 1]), geometry.bonds(mol)
    torn = geometry.scale_bond(mol, start, (0, 1), 2.0)
    clash = geometry.scale_bond(mol, start, (0, 1), 0.3)
    samples = [sampling.Sample(start), sampling.Sample(torn), sampling.Sample(clash, intact=False)]
    kept, dropped = sampling.labelled(numbers, pairs, samples, max_force=30.0)
    assert len(kept) == 1
    assert dropped == {"broken graph": 1, "no SCF convergence": 0, "force too large": 1}


def test_turning_a_bond_moves_one_side_and_keeps_all_bonds():
    mol, (start,) = geometry.embed("CCO", 1, 3)
    turned = geometry.turn(mol, start, (0, 1), 1.0)
    pairs = geometry.bonds(mol)
    before, after = (np.linalg.norm(p[pairs[:, 0]] - p[pairs[:, 1]], axis=1) for p in (start, turned))
    np.testing.assert_allclose(after, before, atol=1e-12)
    np.testing.assert_array_equal(turned[[0, 3, 4, 5]], start[[0, 3, 4, 5]])
    assert np.linalg.norm(turned - start, axis=1).max() > 0.3


@pytest.mark.parametrize(("ratio", "gap"), [(0.7, None), (1.1, None), (1.0, 5.0)])
def test_placing_brings_the_closest_pair_to_the_wanted_distance(ratio, gap):
    rng = np.random.default_rng(5)
    mol, (water,) = geometry.embed("O", 1, 3)
    numbers = np.array([8, 1, 1])
    second = geometry.place(numbers, water, numbers, water, ratio, gap, rng)
    distance = np.linalg.norm(water[:, None] - second[None], axis=-1)
    if gap is None:
        both = np.concatenate([water, second])
        pairs = np.concatenate([geometry.bonds(mol), geometry.bonds(mol) + 3])
        assert geometry.closest_contact(np.tile(numbers, 2), both, pairs) == pytest.approx(ratio, rel=1e-9)
    else:
        assert distance.min() == pytest.approx(gap, rel=1e-9)


def test_paths_of_turned_rotors_lead_downhill():
    mol, (start,) = geometry.embed("NC=O", 1, 3)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    minimum = sampling.relaxation(numbers, start)[-1]
    kept = len(sampling.PATH_STEPS)
    frames = sampling.torsion_paths(mol, numbers, [minimum], 2 * kept, np.random.default_rng(4))
    assert kept < len(frames) <= 2 * kept
    energies = [labels.energy_and_forces(numbers, positions)[0] for positions in frames[:2]]
    assert energies[0] > energies[1]
    assert sampling.torsion_paths(mol, numbers, [minimum], 0, np.random.default_rng(4)) == []


def test_strands_have_their_backbone_stretched():
    mol, (start,) = geometry.embed("CC(N)C(=O)NC(C)C=O", 1, 3)
    numbers = np.array([atom.GetAtomicNum() for atom in mol.GetAtoms()])
    phis, psis = geometry.backbone(mol)
    assert (len(phis), len(psis)) == (1, 2)
    assert [numbers[list(atoms)].tolist() for atoms in phis] == [[6, 7, 6, 6]]
    assert sorted(numbers[list(atoms)].tolist() for atoms in psis) == [[7, 6, 6, 1], [7, 6, 6, 7]]
    kept = len(sampling.STRAND_STEPS)
    frames = sampling.strand_paths(mol, numbers, [start], 3 * kept, np.random.default_rng(4))
    assert 2 * kept < len(frames) <= 3 * kept
    for atoms, (low, high) in [(atoms, sampling.STRAND[0]) for atoms in phis] + [(a, sampling.STRAND[1]) for a in psis]:
        angles = np.array([Atoms(numbers, positions).get_dihedral(*atoms) for positions in frames])
        drift = np.abs((angles - (low + high) / 2 + 180) % 360 - 180) - (high - low) / 2
        assert drift.max() < 25  # degrees, on the way downhill


def test_setting_a_dihedral_moves_only_what_is_behind_it():
    mol, (start,) = geometry.embed("CC(=O)NC(C)C(=O)NC", 1, 3)
    ((atoms,), _) = geometry.backbone(mol)
    turned = geometry.set_dihedral(mol, start, atoms, -140.0)
    made = Atoms([1] * len(turned), turned)
    assert made.get_dihedral(*atoms) == pytest.approx(220.0, abs=1e-6)
    np.testing.assert_allclose(turned[list(atoms[:3])], start[list(atoms[:3])], atol=1e-9)
    for pair in geometry.bonds(mol):
        assert made.get_distance(*pair) == pytest.approx(np.linalg.norm(start[pair[0]] - start[pair[1]]), abs=1e-9)


def test_turning_a_dihedral_goes_on_from_where_it_is():
    mol, (start,) = geometry.embed("CC(=O)NC(C)C(=O)NC", 1, 3)
    ((atoms,), _) = geometry.backbone(mol)
    before = Atoms([1] * len(start), start).get_dihedral(*atoms)
    turned = geometry.turn_dihedral(mol, start, atoms, 15.0)
    assert Atoms([1] * len(start), turned).get_dihedral(*atoms) == pytest.approx(before + 15.0, abs=1e-6)


def test_forces_of_the_force_field_are_those_of_the_positions_asked_for():
    mol, (start,) = geometry.embed("CC(=O)NC", 1, 3)
    atoms = Atoms(geometry.atomic_numbers(mol), classical.relaxed(mol, start), calculator=classical.ForceField(mol))
    assert np.abs(atoms.get_forces()).max() < 0.01
    moved = atoms.positions + np.random.default_rng(1).normal(scale=0.03, size=start.shape)
    atoms.positions = moved
    forces = atoms.get_forces()  # before the energy of these positions has been asked for
    for index in ((0, 0), (3, 1), (8, 2)):
        energies = []
        for step in (1e-4, -1e-4):
            atoms.positions = moved
            atoms.positions[index] += step
            energies.append(atoms.get_potential_energy())
        assert forces[index] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-4)


def test_classical_samples_of_a_molecule_and_of_a_complex():
    alanine = molecules.Molecule("CC(N)C(=O)O", 40)
    numbers, pairs, samples = classical.sample(alanine, np.random.default_rng(1))
    assert len(samples) == 20
    kept, dropped = sampling.labelled(numbers, pairs, samples, generator.MAX_FORCE)
    assert len(kept) >= 18, dropped
    rms = np.sqrt(np.mean([np.mean(forces**2) for _, _, forces in kept]))
    assert 0.5 < rms < 3.0  # eV/A: warm, not torn apart
    dimer = molecules.Molecule("C=O.O", 40, bridge_frames=20)
    numbers, pairs, samples = classical.sample(dimer, np.random.default_rng(1))
    assert numbers.tolist() == [6, 8, 1, 1, 8, 1, 1]
    assert 20 <= len(samples) <= 25
    again = classical.sample(dimer, np.random.default_rng(1))[2]
    np.testing.assert_array_equal([one.positions for one in again], [one.positions for one in samples])


def test_strands_are_relaxed_and_turned():
    smiles = curated.RESIDUES[0]
    numbers, pairs, samples = strands.sample(smiles, 2, np.random.default_rng(2))
    each = len(strands.KEPT) + 1 + strands.TURNS + strands.OPPOSITE
    assert len(samples) == 2 * each
    assert all(geometry.keeps_graph(numbers, one.positions, pairs) for one in samples)
    positions = [one.positions for one in samples[2:each]]
    phi, psi = geometry.backbone(geometry.embed(smiles, 1, 1)[0])
    angles = np.array([[Atoms(numbers, p).get_dihedral(*atoms) for atoms in phi + psi] for p in positions])
    change = (angles[1:] - angles[0] + 180.0) % 360.0 - 180.0
    assert np.abs(change).max() < strands.LARGEST + 2.0  # shaken by so much
    assert (np.abs(change).max(axis=1) > 0.5).all()
    opposite = change[strands.TURNS :]
    far = np.abs(opposite[:, 0]) > 10.0
    assert far.any()
    assert (opposite[far, 0] * opposite[far, len(phi)] < 0.0).all()  # phi one way, psi the other


def test_bridges_carry_their_hydrogen_from_one_end_to_the_other():
    # water, its hydrogen pointing along x to the nitrogen of an ammonia
    numbers = np.array([8, 1, 1, 7, 1, 1, 1])
    positions = np.array(
        [[0, 0, 0], [0.96, 0, 0], [-0.3, 0.9, 0], [2.9, 0, 0], [3.3, 0.9, 0], [3.3, -0.5, 0.8], [3.3, -0.5, -0.8]]
    )
    pairs = np.array([[0, 1], [0, 2], [3, 4], [3, 5], [3, 6]])
    assert geometry.hydrogen_bridges(numbers, positions, pairs) == [(0, 1, 3)]
    frames = np.stack(sampling.bridge_samples(numbers, [positions], pairs, 200, np.random.default_rng(6)))
    length = np.linalg.norm(frames[:, 3] - frames[:, 0], axis=1)
    assert 2.1 < length.min() < 2.4 < 3.0 < length.max() < 3.3
    assert np.linalg.norm(frames[:, 1] - frames[:, 0], axis=1).min() < 1.1
    assert np.linalg.norm(frames[:, 1] - frames[:, 3], axis=1).min() < 1.1
    ammonia = np.linalg.norm(frames[:, 4:] - frames[:, 3:4], axis=-1)
    assert np.abs(ammonia - np.linalg.norm(positions[4:] - positions[3], axis=-1)).max() < 0.3
    apart = positions + np.array([9.0, 0.0, 0.0]) * (np.arange(7) >= 3)[:, None]
    assert sampling.bridge_samples(numbers, [apart], pairs, 5, np.random.default_rng(6)) == []


def test_a_bridge_within_a_molecule_keeps_its_length():
    positions = np.array([[0.0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 0, 0], [3, 2, 0]])
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    np.testing.assert_array_equal(geometry.stretch_bridge(positions, pairs, (0, 3), 9.0), positions)
    stretched = geometry.stretch_bridge(positions, pairs, (0, 4), 9.0)
    assert np.linalg.norm(stretched[4] - stretched[0]) == pytest.approx(9.0, rel=1e-12)


def test_normal_modes_of_water():
    _, (start,) = geometry.embed("O", 1, 3)
    numbers = np.array([8, 1, 1])
    minimum = sampling.relaxation(numbers, start)[-1]
    stiffness, _ = sampling.normal_modes(numbers, minimum)
    assert stiffness.shape == (3,)
    # wavenumbers of water with GFN2-xTB: one bend near 1540, two stretches near 3650 per cm
    wavenumbers = np.sqrt(stiffness) * 521.47
    assert 1400 < wavenumbers[0] < 1700
    assert np.all((wavenumbers[1:] > 3400) & (wavenumbers[1:] < 3900))


def _run(out: Path, *more: str) -> int:
    return generator.main(["generate", "--out", str(out), "--workers", "1", *more])


def test_generate_resumes_and_repeats(tmp_path, monkeypatch):
    tiny = [molecules.Molecule("O", 12), molecules.Molecule("O.[H][H]", 12)]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    assert _run(tmp_path, "--molecules", "1") == 0
    shards = tmp_path / "shards"
    (first,) = shards.glob("*.npz")
    stamp = first.stat().st_mtime_ns
    assert _run(tmp_path) == 0
    assert first.stat().st_mtime_ns == stamp
    assert len(list(shards.glob("*.npz"))) == 2
    frames = load(first)
    assert len(frames) >= 6
    assert set(frames.groups) == {"O"}
    assert frames.level_of_theory.startswith("GFN2-xTB (tblite")
    report = json.loads(first.with_suffix(".json").read_text())
    assert report["frames"] == len(frames)
    assert _run(tmp_path / "classical", "--molecules", "1", "--geometries", "classical") == 0
    (moved,) = (tmp_path / "classical" / "shards").glob("*.npz")
    assert moved.name == first.name
    assert load(moved).sha256() != frames.sha256()
    assert _run(tmp_path / "again", "--every", "2") == 0  # of two entries the first, too
    (again,) = (tmp_path / "again" / "shards").glob("*.npz")
    assert again.name == first.name
    assert load(again).sha256() == frames.sha256()


def test_merge_splits_by_molecule_and_keeps_old_files(tmp_path, monkeypatch, capsys):
    tiny = [molecules.Molecule(smiles, 6) for smiles in ("O", "N", "C")]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    sides = dict(zip(("O", "N", "C"), generator.SPLITS, strict=True))
    monkeypatch.setattr(splits, "assign", lambda entries, seed: sides)
    merge = ["merge", "--out", str(tmp_path)]
    assert generator.main(merge) == 1
    assert "no shards for train, valid, test" in capsys.readouterr().err
    assert _run(tmp_path) == 0
    capsys.readouterr()
    assert generator.main(merge) == 0
    summary = json.loads(capsys.readouterr().out)
    for smiles, name in sides.items():
        frames = load(tmp_path / f"{name}.npz")
        assert set(frames.groups) == {smiles}
        assert summary[name]["frames"] == len(frames)
        assert summary[name]["sha256"] == frames.sha256()
    assert generator.main(merge) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main([*merge, "--overwrite"]) == 0
    monkeypatch.setattr(generator, "analogues", lambda count, seed: [molecules.Molecule("CO", 6)][:count])
    assert _run(tmp_path, "--analogues", "1") == 0
    assert generator.main([*merge, "--overwrite"]) == 0
    assert set(load(tmp_path / "train.npz").groups) == {"O", "CO"}


def test_explore_labels_what_models_dispute_and_merge_trains_on_it(tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    explore = ["explore", "--out", str(tmp_path), "--models", "so3krates-gfn2", "sake-gfn2", "--candidates", "12"]
    assert generator.main([*explore, "--keep", "3"]) == 0
    explored = load(tmp_path / "explored.npz")
    assert set(explored.groups) == {"O.O"}
    assert explored.n_atoms.tolist() == [6, 6, 6]
    energy, forces = labels.energy_and_forces(explored.numbers[:6], explored.positions[:6])
    assert explored.energy[0] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(explored.forces[:6], forces, atol=1e-5)
    assert generator.main([*explore, "--keep", "3"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    after = load(tmp_path / "train.npz")
    assert len(after) == len(before) + 3
    assert set(load(tmp_path / "test.npz").groups) == {"C"}


def test_twins_are_labelled_and_merge_trains_on_them(tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    command = ["twins", "--out", str(tmp_path), "--count", "3"]
    assert generator.main(command) == 0
    placed = load(tmp_path / "twins.npz")
    assert {name.replace(".", "") for name in placed.groups} <= {"O" * n for n in range(2, 7)}
    first = placed.frame(0)
    energy, forces = labels.energy_and_forces(first.numbers, first.positions)
    assert placed.energy[0] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(first.forces, forces, atol=1e-5)
    assert generator.main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    assert len(load(tmp_path / "train.npz")) == len(before) + 3


@pytest.mark.parametrize("kind", ["chains", "flavins"])
def test_larger_molecules_carry_the_labels_of_their_teacher_and_are_merged(kind, tmp_path, monkeypatch, capsys):
    before = _trained_on_water(tmp_path, monkeypatch)
    command = [kind, "--out", str(tmp_path), "--count", "2", "--teacher", "so3krates-gfn2"]
    assert generator.main(command) == 0
    taught = load(tmp_path / f"{kind}.npz")
    assert len(set(taught.groups)) <= 2
    assert set(taught.n_atoms) <= set(range(24, 56))
    assert not any(molecules.forbidden_in(str(name)) for name in taught.group_names)
    first = taught.frame(0)
    atoms = Atoms(first.numbers, first.positions, calculator=SAKECalculator("so3krates-gfn2"))
    assert first.energy[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    np.testing.assert_allclose(first.forces, atoms.get_forces(), atol=1e-3)
    assert generator.main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["merge", "--out", str(tmp_path), "--overwrite"]) == 0
    assert len(load(tmp_path / "train.npz")) == len(before) + len(taught)


def test_strands_of_all_residues_are_labelled(tmp_path, monkeypatch):
    monkeypatch.setattr(curated, "RESIDUES", curated.RESIDUES[:2])
    assert generator.main(["strands", "--out", str(tmp_path), "--count", "1"]) == 0
    labelled = load(tmp_path / "strands.npz")
    assert set(labelled.groups) == {molecules.canonical(smiles) for smiles in curated.RESIDUES}
    energy, forces = labels.energy_and_forces(labelled.frame(3).numbers, labelled.frame(3).positions)
    assert labelled.energy[3] == pytest.approx(energy, abs=1e-6)
    np.testing.assert_allclose(labelled.frame(3).forces, forces, atol=1e-5)


def test_twins_are_copies_apart_and_none_is_held_out():
    sources = _water_and_ammonia()
    drawn = twins.twins(sources, {"N.N.N"}, 120, np.random.default_rng(11))
    every = {".".join(molecule * copies) for molecule in "ON" for copies in range(2, 7)}
    assert set(drawn.groups) == every - {"N.N.N"}
    assert drawn.n_atoms.max() == 24
    assert np.isnan(drawn.energy).all()
    gaps, differences, turns, rows = [], [], [], []
    for frame in (drawn.frame(i) for i in range(len(drawn))):
        copies = frame.positions.reshape(frame.groups[0].count(".") + 1, -1, 3)
        apart = np.linalg.norm(copies[1, :, None] - copies[0][None], axis=-1)
        gaps.append(apart.min())
        inside = [np.linalg.norm(copy[:, None] - copy[None], axis=-1) for copy in copies]
        differences.append(np.abs(inside[1] - inside[0]).max())
        moved = copies - copies.mean(axis=1, keepdims=True)
        turns.append(np.abs(moved[1] - moved[0]).max())
        if len(copies) > 2:
            steps = np.diff(copies.mean(axis=1), axis=0)
            rows.append(np.abs(steps - steps[0]).max() < 0.15)
    assert 0.6 < np.mean(np.array(turns) < 0.15) < 0.95  # parallel to the first one, but for the shaking
    assert 0.3 < np.mean(rows) < 0.7
    assert min(gaps) >= 2.5 - 0.2  # a row is shaken as a whole
    assert max(gaps) <= 9.0 + 0.2
    assert max(gaps) - min(gaps) > 4.0
    assert min(differences) > 0.0
    with pytest.raises(DataError, match="no molecule may be doubled"):
        twins.twins(sources.select([0]), every, 1, np.random.default_rng(11))


def test_half_of_the_twins_are_residues_and_three_of_them_fit():
    residue = molecules.canonical(curated.RESIDUES[0])
    sizes = {residue: 22, "CO": 6, "N": 4, "O": 3}
    positions = [np.random.default_rng(1).normal(scale=5.0, size=(n, 3)) for n in sizes.values()]
    numbers = [np.full(n, 6) for n in sizes.values()]
    train = Frames.build(numbers, positions, positions, np.zeros(4), "a level", groups=np.array(list(sizes)))
    drawn = twins.twins(train, set(), 200, np.random.default_rng(5))
    share = np.mean([residue in name for name in drawn.groups])
    assert share == pytest.approx(0.5, abs=0.12)
    assert drawn.n_atoms.max() == 66


def test_focus_keeps_backbones_and_larger_molecules_and_a_share_of_anything_else(tmp_path, capsys):
    backbone, larger = molecules.canonical(curated.RESIDUES[0]), molecules.canonical("CC(=O)" + "NC(C)C(=O)" * 3 + "N")
    names = np.array(["O", "N", "N.O", backbone, "CO.O", larger, "CO", "O.O.O"])
    sizes = np.array([3, 3, 3, 3, 3, 24, 3, 24])  # twins may be large, too
    numbers = [np.array([8, 1, 1] * (size // 3)) for size in sizes]
    labelled = [np.random.default_rng(1).normal(size=(size, 3)) for size in sizes]
    train = Frames.build(numbers, labelled, labelled, np.arange(8.0), "a level", groups=names)
    train.save(tmp_path / "train.npz")
    assert generator.main(["focus", "--out", str(tmp_path)]) == 0
    focused = load(tmp_path / "focus.npz")
    assert len(focused) == 4
    assert set(names) > set(focused.groups) > {backbone, larger}
    assert "2 of them backbones or larger" in capsys.readouterr().out
    assert generator.main(["focus", "--out", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "2", "--overwrite"]) == 0
    more = load(tmp_path / "focus.npz")
    assert len(more) == 6
    assert set(more.groups) > set(focused.groups)
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "0", "--walls", "--overwrite"]) == 0
    assert set(load(tmp_path / "focus.npz").groups) == {backbone, larger, "N.O"}
    assert "3 of them backbones, larger or walls" in capsys.readouterr().out
    assert generator.main(["focus", "--out", str(tmp_path), "--others", "-1", "--overwrite"]) == 1
    assert "give 0 or more" in capsys.readouterr().err


def test_exploration_leaves_held_out_complexes_alone():
    water = _water_and_ammonia()
    drawn = exploration.random_complexes(water, {"N.O", "O.O"}, 20, np.random.default_rng(7))
    assert set(drawn.groups) == {"N.N"}
    assert np.isnan(drawn.energy).all()
    both = exploration.random_complexes(water, set(), 40, np.random.default_rng(7))
    assert set(both.groups) == {"N.N", "N.O", "O.O"}
    contacts = [_closest(both, i, 3 if both.numbers[both.offsets[i]] == 8 else 4) for i in range(len(both))]
    assert 0.5 <= min(contacts) < 0.65
    assert 1.0 < max(contacts) <= 1.15


def test_the_most_disputed_are_large_and_not_astray():
    deviation = np.array([0.1, 3.0, np.nan, 25.0, 1.0, np.inf, 2.0])
    assert exploration.most_disputed(deviation, 2).tolist() == [1, 6]
    assert exploration.most_disputed(deviation, 9).tolist() == [0, 1, 4, 6]


def _trained_on_water(folder: Path, monkeypatch) -> Frames:
    """A small merged set that holds out ammonia and methane; its training frames."""
    tiny = [molecules.Molecule(smiles, 6) for smiles in ("O", "N", "C")]
    monkeypatch.setattr(generator, "enumerate_molecules", lambda seed: tiny)
    monkeypatch.setattr(splits, "assign", lambda entries, seed: {"O": "train", "N": "valid", "C": "test"})
    assert _run(folder) == 0
    assert generator.main(["merge", "--out", str(folder)]) == 0
    return load(folder / "train.npz")


def _water_and_ammonia() -> Frames:
    parts = [sampling.relaxed_part(smiles, np.random.default_rng(1)) for smiles in ("O", "N")]
    numbers, positions = [part[0] for part in parts], [part[1] for part in parts]
    return Frames.build(numbers, positions, positions, [0.0, 0.0], "GFN2-xTB", groups=["O", "N"])


def _closest(frames: Frames, index: int, n_first: int) -> float:
    """Closest contact between the first atoms and the rest, as a multiple of the van der Waals distance."""
    one = frames.frame(index)
    pairs = np.array([(0, i) for i in range(1, n_first)] + [(n_first, i) for i in range(n_first + 1, len(one.numbers))])
    return geometry.closest_contact(one.numbers, one.positions, pairs)
