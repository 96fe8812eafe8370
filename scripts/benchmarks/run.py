"""A whole run: every structure and entry, memory and dynamics, as one document."""

from typing import Any, Callable, NamedTuple, Sequence

from vesin import NeighborList

from benchmarks import machine
from benchmarks.client import Client, Launch, NotMeasured
from benchmarks.dynamics_run import measure_dynamics
from benchmarks.entries import MODELS, OTHERS, ROUTES, Entry, our_entries
from benchmarks.environments import FOLDER, python_of
from benchmarks.memory import measure_memory
from benchmarks.structure import Structure
from benchmarks.structures import benchmark_structure
from benchmarks.timing import Limits, Pool, Say, time_structure

CUTOFF = 5.0
PUBLIC = tuple(dict.fromkeys(entry.package for entry in OTHERS))


class Settings(NamedTuple):
    """What is measured, and how long it may take."""

    device: str
    threads: int
    paths: Sequence[str]
    models: Sequence[str]
    routes: Sequence[str]
    packages: Sequence[str]
    structures: Sequence[str]
    memory_structures: Sequence[str]
    dynamics: Sequence[str]
    call_s: float
    budget_s: float
    dynamics_s: float
    memory_gb: float


FULL = Settings(
    device="cpu",
    threads=2,
    paths=("auto", "reference"),
    models=tuple(MODELS),
    routes=tuple(ROUTES),
    packages=PUBLIC,
    structures=("aspirin", "ala15", "water_192", "water_1536", "water_12288", "water_24576"),
    memory_structures=("water_1536", "water_24576"),
    dynamics=("aspirin", "riboflavin", "ala15", "water_192", "water_1536"),
    call_s=20.0,
    budget_s=4.0,
    dynamics_s=8.0,
    memory_gb=12.0,
)
QUICK = FULL._replace(
    routes=("program", "torchforce"),
    structures=("aspirin", "water_192"),
    memory_structures=("water_192",),
    dynamics=("aspirin",),
    budget_s=0.5,
    dynamics_s=1.0,
)


def run(settings: Settings, say: Say) -> dict[str, Any]:
    """The run as the document has it."""
    entries = chosen_entries(settings)
    structures = {name: benchmark_structure(name) for name in all_names(settings)}
    launch = launcher(settings)
    pool, stolen = Pool(launch), machine.StolenTime()
    try:
        packages = {package: versions(pool, of_package(entries, package)) for package in packages_of(entries)}
        present = [entry for entry in entries if "not_measured" not in packages[entry.package]]
        evaluations = time_all(pool, present, [structures[name] for name in settings.structures], settings, say)
    finally:
        pool.stop()
    return {
        "settings": settings._asdict(),
        "machine": {**machine.describe(settings.device), "stolen": stolen.share()},
        "packages": packages,
        "entries": {entry.key: describe(entry) for entry in entries},
        "structures": {name: size(structure) for name, structure in structures.items()},
        "evaluations": evaluations,
        "memory": memory_all(launch, present, evaluations, structures, settings, say),
        "dynamics": measure_dynamics(launch, structures, settings, say),
    }


def chosen_entries(settings: Settings) -> list[Entry]:
    """Public packages first, then ours."""
    others = [entry for entry in OTHERS if entry.package in settings.packages]
    return others + our_entries(settings.paths, settings.models, settings.routes)


def all_names(settings: Settings) -> list[str]:
    """Every structure that is used, in order."""
    return list(dict.fromkeys([*settings.structures, *settings.memory_structures, *settings.dynamics]))


def packages_of(entries: list[Entry]) -> list[str]:
    """Their packages, in order."""
    return list(dict.fromkeys(entry.package for entry in entries))


def of_package(entries: list[Entry], package: str) -> Entry:
    """Its first entry."""
    return next(entry for entry in entries if entry.package == package)


def launcher(settings: Settings) -> Callable[[Entry], Client]:
    """How workers are started in this run."""

    def launch(entry: Entry) -> Client:
        python = python_of(entry.package)
        if not python.exists():
            raise NotMeasured("not installed; see: python scripts/benchmark.py install")
        log = FOLDER / "logs" / f"{entry.key.replace('/', '-')}.log"
        return Client(Launch(python, entry.module, settings.device, settings.threads, settings.memory_gb, log))

    return launch


def versions(pool: Pool, entry: Entry) -> dict[str, Any]:
    """What a package is made of, or why it does not start."""
    try:
        return pool.client(entry).ask(do="describe")["versions"]
    except NotMeasured as error:
        return {"not_measured": str(error)}


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as the tables need it."""
    return {"label": entry.label, "package": entry.package, "is_main": entry.is_main, **entry.options}


def size(structure: Structure) -> dict[str, Any]:
    """Atoms and directed edges within the cutoff."""
    search = NeighborList(cutoff=CUTOFF, full_list=True)
    (centres,) = search.compute(structure.positions, structure.cell, structure.periodic, "i")
    return {"atoms": len(structure.numbers), "edges": len(centres), "periodic": structure.periodic}


def time_all(
    pool: Pool, entries: list[Entry], structures: list[Structure], settings: Settings, say: Say
) -> dict[str, Any]:
    """Structure -> entry -> numbers."""
    limits = Limits(settings.call_s, settings.budget_s)
    found: dict[str, Any] = {}
    before: Structure | None = None
    for structure in structures:
        say(f"{structure.name}, {len(structure.numbers)} atoms")
        expected = expected_seconds(found, before, structure)
        chosen = [entry for entry in entries if len(structure.numbers) <= entry.most_atoms]
        found[structure.name] = time_structure(pool, chosen, structure, expected, limits, say)
        before = structure
    return found


def expected_seconds(found: dict[str, Any], before: Structure | None, now: Structure) -> dict[str, float]:
    """At least as long per atom as on the structure before; nothing can be told from molecules about liquids."""
    if before is None or before.periodic != now.periodic:
        return {}
    growth = len(now.numbers) / len(before.numbers)
    return {key: last_seconds(one) * growth for key, one in found[before.name].items()}


def last_seconds(one: dict[str, Any]) -> float:
    """The median, or infinity where nothing was measured."""
    return one["steady_s"]["median"] if "steady_s" in one else float("inf")


def memory_all(
    launch: Callable[[Entry], Client],
    entries: list[Entry],
    evaluations: dict[str, Any],
    structures: dict[str, Structure],
    settings: Settings,
    say: Say,
) -> dict[str, Any]:
    """Structure -> main entry -> memory, of what could be timed."""
    found: dict[str, Any] = {}
    for name in settings.memory_structures:
        say(f"memory, {name}")
        timed = evaluations.get(name, {})
        found[name] = {
            entry.key: measure_memory(launch, entry, structures[name], 10 * settings.call_s)
            for entry in entries
            if entry.is_main and "steady_s" in timed.get(entry.key, {})
        }
    return found
