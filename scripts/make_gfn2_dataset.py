"""Make the general HCNO starting data set: GFN2-xTB energies and forces of molecules with up to 23 atoms.

    python scripts/make_gfn2_dataset.py generate --out gfn2data --workers 2     # resumable; one shard per molecule
    python scripts/make_gfn2_dataset.py generate --out gfn2data --analogues 3000        # and more molecules to train on
    python scripts/make_gfn2_dataset.py merge --out gfn2data                    # train.npz, valid.npz, test.npz
    python scripts/make_gfn2_dataset.py explore --out gfn2data --models so3krates-gfn2 sake-gfn2     # then merge again
    python scripts/make_gfn2_dataset.py twins --out gfn2data                    # copies of molecules apart; then merge
    python scripts/make_gfn2_dataset.py strands --out gfn2data                  # stretched, turned residues; then merge
    python scripts/make_gfn2_dataset.py approaches --out gfn2data               # small pairs along lines; then merge
    python scripts/make_gfn2_dataset.py chains --out gfn2data --teacher so3krates-gfn2      # short peptides; then merge
    python scripts/make_gfn2_dataset.py flavins --out gfn2data --teacher so3krates-gfn2     # and riboflavin's relatives
    python scripts/make_gfn2_dataset.py focus --out gfn2data                    # focus.npz: more backbones
    python scripts/make_gfn2_dataset.py retain --out gfn2data --teacher MODEL   # retain.npz: change walls alone
    python scripts/make_gfn2_dataset.py list                                    # what would be made

`merge` works at any time, on the shards there are. A molecule is on the same side of the split every time.
`explore` labels complexes of training molecules that models trained so far disagree about; it also needs torch.
`twins` puts copies of a training molecule, up to 70 atoms together, out of contact of each other.
`generate --geometries classical` moves atoms by MMFF94 and asks GFN2-xTB for the labels alone: ten times as fast.
`chains` are peptides of three and four residues, `flavins` relatives of riboflavin with a shorter chain, of up to 55
atoms. Their labels are the predictions of `--teacher`, not GFN2-xTB's, which labels no molecule of more than 23; they
and `retain` also need torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before numpy and tblite load: parallelism is over molecules

import numpy as np
from gfn2 import (
    approaches,
    chains,
    classical,
    curated,
    exploration,
    flavins,
    labels,
    sampling,
    splits,
    strands,
    taught,
    twins,
)
from gfn2.analogues import analogues
from gfn2.molecules import (
    CLOSEST_OF_WALLS,
    MAX_ATOMS,
    SEED,
    Molecule,
    canonical,
    enumerate_molecules,
    is_allowed,
    scaffold,
)
from tqdm import tqdm

from sakeff.data.frames import Frames, concatenate, load
from sakeff.errors import DataError, SakeffError
from sakeff.io import refuse_existing, write_text

MAX_FORCE = 30.0  # eV/Angstrom
SPLITS = ("train", "valid", "test")
SAMPLE_FRAMES = 200
EXPLORED = "explored.npz"
TWINS = "twins.npz"
STRANDS = "strands.npz"
APPROACHES = "approaches.npz"
CHAINS = "chains.npz"
FLAVINS = "flavins.npz"
FOCUS = "focus.npz"
RETAIN = "retain.npz"
ADDITIONS = (EXPLORED, TWINS, STRANDS, APPROACHES, CHAINS, FLAVINS)  # what merge adds to the training molecules
GEOMETRIES = {"gfn2": sampling.sample, "classical": classical.sample}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0 if all went well."""
    options = _parser().parse_args(arguments)
    try:
        return options.action(options)
    except SakeffError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def generate(options: argparse.Namespace) -> int:
    """Make the shards that do not exist yet. A shard is complete or absent, so a killed run goes on where it was."""
    folder = options.out / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    molecules = enumerate_molecules(options.seed)[: options.molecules : options.every]
    if options.analogues:
        molecules += analogues(options.analogues, options.seed)
    todo = [m for m in molecules if not _report_path(_shard_path(folder, m.smiles)).exists()]
    print(f"{len(molecules)} molecules, {len(molecules) - len(todo)} of them done already", file=sys.stderr)
    frames, failed = 0, 0
    # not forked: a copy of a process whose OpenMP threads have run waits for them for ever
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool, tqdm(total=len(todo), unit="mol") as bar:
        sample = GEOMETRIES[options.geometries]
        jobs = {pool.submit(make_shard, molecule, folder, options.seed, sample): molecule for molecule in todo}
        for job in as_completed(jobs):
            if job.exception() is not None:  # the other molecules go on; the next run tries this one again
                failed += 1
                bar.write(f"{jobs[job].smiles}: {job.exception()!r}", file=sys.stderr)
            else:
                frames += job.result()["frames"]
            bar.set_postfix(frames=frames, failed=failed)
            bar.update()
    return int(failed > 0)


def make_shard(molecule: Molecule, folder: Path, seed: int, sample: Callable[..., Any] = sampling.sample) -> dict:
    """Sample and label one entry; returns its report, which is also written beside the shard."""
    if not is_allowed(molecule.smiles):
        raise DataError(f"{molecule.smiles} is kept for tests or outside the scope of this data set.")
    rng = np.random.default_rng(_digest(seed, molecule.smiles))
    numbers, pairs, samples = sample(molecule, rng)
    kept, dropped = sampling.labelled(numbers, pairs, samples, MAX_FORCE)
    path = _shard_path(folder, molecule.smiles)
    if kept:
        _shard(numbers, kept, molecule.smiles).save(path, overwrite=True)
    report = {"smiles": molecule.smiles, "frames": len(kept), "dropped": dropped}
    write_text(_report_path(path), json.dumps(report), overwrite=True)  # last: it says that this entry is done
    return report


def _shard(numbers: np.ndarray, kept: list[tuple[np.ndarray, float, np.ndarray]], smiles: str) -> Frames:
    positions, energy, forces = zip(*kept, strict=True)
    return Frames.build([numbers] * len(kept), positions, forces, energy, labels.level_of_theory(), groups=smiles)


def explore(options: argparse.Namespace) -> int:
    """Of many random complexes of training molecules, label those that a committee disagrees about most."""
    from sakeff.engines.committee import force_deviation  # torch is needed for trained models alone
    from sakeff.training.evaluate import evaluate
    from sakeff.zoo import load_potential

    target = options.out / EXPLORED
    refuse_existing(target, options.overwrite)
    train, held_out = load(options.out / "train.npz"), _held_out(options.seed)
    rng = np.random.default_rng(options.seed)
    candidates = exploration.random_complexes(train, held_out, options.candidates, rng)
    forces = [evaluate(load_potential(model), candidates).forces for model in options.models]
    deviation = np.maximum.reduceat(force_deviation(np.stack(forces)), candidates.offsets[:-1])
    chosen = exploration.most_disputed(deviation, options.keep)
    print(f"the chosen deviate by {deviation[chosen].min():.2f} eV/A or more", file=sys.stderr)
    _label(candidates, chosen).save(target, overwrite=options.overwrite)
    return 0


def place_twins(options: argparse.Namespace) -> int:
    """Label equal molecules at a distance: alike atoms, near in features and far in space, hardly feel each other."""
    target = options.out / TWINS
    refuse_existing(target, options.overwrite)
    train, rng = load(options.out / "train.npz"), np.random.default_rng(options.seed)
    placed = twins.twins(train, _held_out(options.seed), options.count, rng)
    _label(placed, np.arange(len(placed))).save(target, overwrite=options.overwrite)
    return 0


def stretch_residues(options: argparse.Namespace) -> int:
    """Label strands of peptide residues and rigid turns of them: a valley so soft that small errors decide."""
    target = options.out / STRANDS
    refuse_existing(target, options.overwrite)
    rng = np.random.default_rng(options.seed)
    parts = []
    for smiles in tqdm([canonical(smiles) for smiles in curated.RESIDUES], unit="mol"):
        numbers, pairs, samples = strands.sample(smiles, options.count, rng)
        kept, _ = sampling.labelled(numbers, pairs, samples, MAX_FORCE)
        parts.append(_shard(numbers, kept, smiles))
    concatenate(parts).save(target, overwrite=options.overwrite)
    return 0


def approach(options: argparse.Namespace) -> int:
    """Label pairs of small closed-shell molecules along lines from 6 Angstrom to well inside contact."""
    target = options.out / APPROACHES
    refuse_existing(target, options.overwrite)
    parts = []
    for smiles in tqdm(approaches.pairs(_held_out(options.seed)), unit="pair"):
        rng = np.random.default_rng(_digest(options.seed, smiles))
        numbers, frames = approaches.lines(smiles, options.count, MAX_FORCE, rng)
        parts.append(_shard(numbers, frames, smiles))
    concatenate(parts).save(target, overwrite=options.overwrite)
    return 0


def teach_chains(options: argparse.Namespace) -> int:
    """Short peptides with the energies and forces that a trained model predicts for them."""
    return _teach(chains.PEPTIDES, options.out / CHAINS, options)


def teach_flavins(options: argparse.Namespace) -> int:
    """Relatives of riboflavin with the energies and forces that a trained model predicts for them."""
    return _teach(flavins.RELATIVES, options.out / FLAVINS, options)


def _teach(lesson: taught.Lesson, target: Path, options: argparse.Namespace) -> int:
    from sakeff.engines.ase import SAKECalculator  # torch is needed for the labels of a trained model alone

    refuse_existing(target, options.overwrite)
    teacher, rng = SAKECalculator(options.teacher), np.random.default_rng(options.seed)
    frames = taught.frames(lesson, options.count, teacher, labels.level_of_theory(), rng)
    _relabelled(frames, options.teacher).save(target, overwrite=options.overwrite)
    return 0


def _held_out(seed: int) -> set[str]:
    """The entries that are not to be trained on, made already or not."""
    roles = splits.assign(enumerate_molecules(seed), seed)
    return {smiles for smiles, role in roles.items() if role != "train"}


def _label(frames: Frames, chosen: np.ndarray) -> Frames:
    parts = [_labelled(frames.frame(int(i))) for i in tqdm(chosen)]
    return concatenate([part for part in parts if part is not None])


def _labelled(frame: Frames) -> Frames | None:
    """The frame with its energy and forces; None if it has no sound ones."""
    sample = sampling.Sample(frame.positions, intact=False)
    kept, _ = sampling.labelled(frame.numbers, np.zeros((0, 2), int), [sample], MAX_FORCE)
    return _shard(frame.numbers, kept, str(frame.groups[0])) if kept else None


def merge(options: argparse.Namespace) -> int:
    """Gather the shards there are into one file for each split, a small sample, and a summary."""
    roles = splits.assign(enumerate_molecules(options.seed), options.seed)
    shards: dict[str, list[Frames]] = {name: [] for name in SPLITS}
    folder = options.out / "shards"
    for smiles in tqdm([*roles, *_analogues_in(folder, roles)], unit="mol"):
        path = _shard_path(folder, smiles)
        if path.exists():
            shards[roles.get(smiles, "train")].append(load(path))
    shards["train"] += [load(path) for name in ADDITIONS if (path := options.out / name).exists()]
    missing = [name for name in SPLITS if not shards[name]]
    if missing:
        raise DataError(f"{options.out} has no shards for {', '.join(missing)} yet; run generate for longer.")
    merged = {name: _rounded(concatenate(parts)) for name, parts in shards.items()}
    merged["sample"] = _sample(merged["train"], options.seed)
    for name, frames in merged.items():
        frames.save(options.out / f"{name}.npz", overwrite=options.overwrite)
    summary = summarise({name: merged[name] for name in SPLITS}, options)
    text = json.dumps(summary, indent=2)
    write_text(options.out / "summary.json", text + "\n", overwrite=True)
    print(text)
    return 0


def _analogues_in(folder: Path, roles: dict[str, str]) -> list[str]:
    """The entries with a report that the list of molecules does not have."""
    reports = (json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json"))
    return sorted({report["smiles"] for report in reports} - roles.keys())


def focus(options: argparse.Namespace) -> int:
    """All frames of backbones and of larger molecules, and some of everything else, so that nothing is forgotten.

    With ``--walls``, all frames of the pairs whose walls were sampled, too.
    """
    if options.others < 0:
        raise DataError(f"--others {options.others:g} frames for each of a backbone cannot be; give 0 or more.")
    target = options.out / FOCUS
    refuse_existing(target, options.overwrite)
    train = load(options.out / "train.npz")
    backbone = np.isin(train.groups, [canonical(smiles) for smiles in curated.RESIDUES])
    chosen = backbone | _larger(train)
    if options.walls:
        entries = enumerate_molecules(options.seed)
        chosen |= np.isin(train.groups, [entry.smiles for entry in entries if entry.closest == CLOSEST_OF_WALLS])
    rest = np.random.default_rng(options.seed).permutation(np.flatnonzero(~chosen))
    rest = rest[: round(options.others * int(chosen.sum()))]
    frames = train.select(np.sort(np.concatenate([np.flatnonzero(chosen), rest])))
    frames.save(target, overwrite=options.overwrite)
    kinds = "backbones, larger or walls" if options.walls else "backbones or larger"
    print(f"{len(frames)} frames, {int(chosen.sum())} of them {kinds}; sha256 {frames.sha256()}")
    return 0


def retain(options: argparse.Namespace) -> int:
    """The approaches as they are, and larger molecules and frames of everything else as `--teacher` itself labels them.

    For a last stage of the teacher: its walls learn from GFN2-xTB, and what it predicts elsewhere stays as it is.
    """
    target = options.out / RETAIN
    refuse_existing(target, options.overwrite)
    train, walls = load(options.out / "train.npz"), load(options.out / APPROACHES)
    larger = _larger(train)
    others = np.flatnonzero(~larger & ~np.isin(train.groups, walls.group_names))
    drawn = np.random.default_rng(options.seed).permutation(others)[: options.count]
    kept = _relabelled(train.select(np.sort(np.append(drawn, np.flatnonzero(larger)))), options.teacher)
    frames = _rounded(concatenate([kept, walls]))
    frames.save(target, overwrite=options.overwrite)
    print(f"{len(frames)} frames, {len(kept)} of them with labels of {options.teacher}; sha256 {frames.sha256()}")
    return 0


def _larger(frames: Frames) -> np.ndarray:
    """Which frames are of a single molecule that is too large for GFN2-xTB's labels."""
    return (np.char.find(frames.groups, ".") < 0) & (frames.n_atoms > MAX_ATOMS)


def _relabelled(frames: Frames, teacher: str) -> Frames:
    from sakeff.training.evaluate import evaluate  # torch is needed for the labels of a trained model alone
    from sakeff.zoo import load_potential

    predicted = evaluate(load_potential(teacher), frames)
    return replace(frames, energy=predicted.energy, forces=predicted.forces)


def summarise(merged: dict[str, Frames], options: argparse.Namespace) -> dict:
    """Molecules, scaffolds, frames, force scale and content hash of each split, and what was dropped on the way."""
    dropped: Counter[str] = Counter()
    for path in (options.out / "shards").glob("*.json"):
        dropped.update(json.loads(path.read_text())["dropped"])
    return {
        "level_of_theory": merged["train"].level_of_theory,
        "seed": options.seed,
        "total": _counts(concatenate(merged.values())),
        **{name: dict(_counts(frames), sha256=frames.sha256()) for name, frames in merged.items()},
        "dropped": dict(dropped),
    }


def _counts(frames: Frames) -> dict:
    single = [str(name) for name in frames.group_names if "." not in name]
    return {
        "molecules": len(single),
        "complexes": len(frames.group_names) - len(single),
        "scaffolds": len({scaffold(smiles) for smiles in single} - {""}),
        "frames": len(frames),
        "atoms": len(frames.numbers),
        "force_rms": round(float(np.sqrt(np.mean(frames.forces**2))), 4),
    }


def _rounded(frames: Frames) -> Frames:
    """Positions and forces to float32 (1e-7 A, 1e-6 eV/A), below the labels' own noise; halves the compressed file."""
    return replace(frames, positions=frames.positions.astype(np.float32), forces=frames.forces.astype(np.float32))


def _sample(train: Frames, seed: int) -> Frames:
    chosen = np.random.default_rng(seed).permutation(len(train))[:SAMPLE_FRAMES]
    return train.select(np.sort(chosen))


def show(options: argparse.Namespace) -> int:
    """One line per entry: split, wanted frames, SMILES."""
    molecules = enumerate_molecules(options.seed)
    roles = splits.assign(molecules, options.seed)
    for molecule in molecules:
        print(f"{roles[molecule.smiles]:5s} {molecule.frames:4d} {molecule.smiles}")
    return 0


def _digest(seed: int, text: str) -> int:
    return int(hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()[:16], 16)


def _shard_path(folder: Path, smiles: str) -> Path:
    return folder / f"{hashlib.sha256(smiles.encode()).hexdigest()[:16]}.npz"


def _report_path(shard: Path) -> Path:
    return shard.with_suffix(".json")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    make = commands.add_parser("generate", help="sample and label molecules")
    make.add_argument("--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)")
    make.add_argument("--molecules", type=int, default=None, help="only the first N (default: all)")
    make.add_argument("--every", type=int, default=1, help="only each N-th of them: a thinner set of the same kinds")
    make.add_argument("--analogues", type=int, default=0, help="and so many more, like those of the training set")
    make.add_argument("--geometries", choices=sorted(GEOMETRIES), default="gfn2", help="what moves the atoms")
    more = commands.add_parser("explore", help="add complexes that models disagree about")
    more.add_argument("--models", nargs="+", required=True, help="two or more trained models")
    more.add_argument("--candidates", type=int, default=20_000, help="random complexes")
    more.add_argument("--keep", type=int, default=3_000, help="the most disputed of them, to be labelled")
    equal = commands.add_parser("twins", help="add equal molecules apart from each other")
    equal.add_argument("--count", type=int, default=5_000, help="complexes")
    stretched = commands.add_parser("strands", help="add stretched and turned backbones of residues")
    stretched.add_argument("--count", type=int, default=120, help="strands of each residue; fifteen frames each")
    walls = commands.add_parser("approaches", help="add small pairs along lines, from far to inside contact")
    walls.add_argument("--count", type=int, default=200, help="lines of each pair; about 28 frames each")
    peptides = commands.add_parser("chains", help="add short peptides that a trained model labels")
    peptides.add_argument("--count", type=int, default=1000, help="peptides; about twelve frames each")
    relatives = commands.add_parser("flavins", help="add relatives of riboflavin that a trained model labels")
    relatives.add_argument("--count", type=int, default=250, help="conformers; about 26 frames each")
    keeping = commands.add_parser("retain", help="write the training set of a last stage that changes walls alone")
    keeping.add_argument("--count", type=int, default=60_000, help="frames, beside those of larger molecules")
    for command in (peptides, relatives, keeping):
        command.add_argument("--teacher", required=True, help="a trained model")
    gather = commands.add_parser("merge", help="gather the shards into train.npz, valid.npz and test.npz")
    nearer = commands.add_parser("focus", help="write the training set of a last stage: more backbones")
    nearer.add_argument("--others", type=float, default=1.0, help="other frames for each of a backbone")
    nearer.add_argument("--walls", action="store_true", help="all frames of the walls of small pairs, too")
    actions = {
        make: generate,
        more: explore,
        equal: place_twins,
        stretched: stretch_residues,
        walls: approach,
        peptides: teach_chains,
        relatives: teach_flavins,
        gather: merge,
        nearer: focus,
        keeping: retain,
    }
    for command, action in actions.items():
        command.add_argument("--out", type=Path, required=True, help="folder of the data set")
        command.set_defaults(action=action)
    listing = commands.add_parser("list", help="print the entries and their split")
    listing.set_defaults(action=show)
    for command in (more, equal, stretched, walls, peptides, relatives, gather, nearer, keeping):
        command.add_argument("--overwrite", action="store_true", help="replace what an earlier call wrote")
    for command in (*actions, listing):
        command.add_argument("--seed", type=int, default=SEED)
    return parser


if __name__ == "__main__":
    sys.exit(main())
