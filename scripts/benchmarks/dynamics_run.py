"""Whole steps of dynamics: asks a worker of ours for each structure and model, and sums up what it says."""

from typing import Any, Callable

from benchmarks.client import Client, NotMeasured
from benchmarks.dynamics import BARE, TIMESTEP_FS
from benchmarks.entries import Entry, our_entry
from benchmarks.statistics import summarise
from benchmarks.structure import Structure, to_message

SECONDS_PER_DAY = 86400.0
NS_PER_FS = 1e-6
LEAST_ROUNDS = 3
PERCENT = 100.0
PATIENCE_S = 600.0


def measure_dynamics(
    launch: Callable[[Entry], Client], structures: dict[str, Structure], settings: Any, say: Callable[[str], None]
) -> dict[str, Any]:
    """Structure -> model -> engine -> numbers, of the first path."""
    found: dict[str, Any] = {}
    for name in settings.dynamics:
        for model in settings.models:
            say(f"dynamics, {name}, {model}")
            entry = our_entry(model, settings.paths[0], "program")
            found.setdefault(name, {})[model] = one_model(launch, entry, structures[name], settings.dynamics_s)
    return found


def one_model(launch: Callable[[Entry], Client], entry: Entry, structure: Structure, budget: float) -> dict[str, Any]:
    """Engine -> numbers, or the reason why there are none."""
    options = {key: entry.options[key] for key in ("model", "path")}
    try:
        with launch(entry) as client:
            reply = client.ask(
                PATIENCE_S,
                do="dynamics",
                structure=to_message(structure),
                budget=budget,
                least_rounds=LEAST_ROUNDS,
                **options,
            )
    except NotMeasured as error:
        return {"not_measured": str(error)}
    return {engine: step_numbers(seconds, reply["rounds"][BARE]) for engine, seconds in reply["rounds"].items()}


def step_numbers(seconds: list[float], bare: list[float]) -> dict[str, Any]:
    """Seconds per step, ns/day at 0.5 fs, and percent over the bare evaluation of the same round."""
    step = summarise(seconds)
    overhead = [PERCENT * (one / alone - 1.0) for one, alone in zip(seconds, bare, strict=True)]
    return {
        "step_s": step._asdict(),
        "ns_per_day": SECONDS_PER_DAY / step.median * TIMESTEP_FS * NS_PER_FS,
        "overhead_percent": summarise(overhead)._asdict(),
    }
