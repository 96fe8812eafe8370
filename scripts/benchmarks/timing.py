"""One structure, all entries in turns: first call, steady state, and our list made anew."""

import math
from typing import Any, Callable, Iterable, NamedTuple

from benchmarks.client import Client, NotMeasured
from benchmarks.entries import OURS, REFERENCE, Entry
from benchmarks.statistics import Plan, paired_ratios, plan_repetitions, round_medians, summarise, takes_part
from benchmarks.structure import Structure, to_message

# TorchScript watches and optimises during the first calls, other packages compile in them.
WARM_UP = 3
NEW_LISTS = 5
PREPARING_SECONDS = 120.0
# A first call may compile for long; after that nothing may take more than a few times the limit of one call.
PATIENCE = 4.0

Say = Callable[[str], None]


class Limits(NamedTuple):
    """``call_s``: what would take longer is not measured; ``budget_s``: for one entry on one structure."""

    call_s: float
    budget_s: float


class Timed(NamedTuple):
    """What one entry said about one structure."""

    first_s: float
    prepare_s: float
    rounds: dict[int, list[float]]
    new_list: list[float]
    force_norm: float


class Pool:
    """One living worker for each entry, started when it is first needed and again after it was ended."""

    def __init__(self, launch: Callable[[Entry], Client]) -> None:
        self.launch = launch
        self.clients: dict[str, Client] = {}

    def client(self, entry: Entry) -> Client:
        """The worker of an entry."""
        found = self.clients.get(entry.key)
        if found is None or not found.alive:
            found = self.clients[entry.key] = self.launch(entry)
        return found

    def keep(self, keys: set[str]) -> None:
        """End the workers of all other entries: the memory they hold is needed."""
        for key in self.clients.keys() - keys:
            self.clients.pop(key).stop()

    def release(self, keys: Iterable[str]) -> None:
        """Let workers that still live forget what they hold."""
        for key in keys:
            if self.clients[key].alive:
                self.clients[key].ask(do="release")

    def stop(self) -> None:
        """End all."""
        for client in self.clients.values():
            client.stop()


def time_structure(
    pool: Pool, entries: list[Entry], structure: Structure, expected: dict[str, float], limits: Limits, say: Say
) -> dict[str, dict[str, Any]]:
    """Entry key -> its numbers, or the reason why there are none.

    ``expected`` holds seconds per call where they can be told from a smaller structure.
    """
    failures: dict[str, str] = {}
    timed: dict[str, Timed] = {}
    plans: dict[str, Plan] = {}
    pool.keep({entry.key for entry in entries if expected.get(entry.key, 0.0) <= limits.call_s})
    for entry in entries:
        try:
            refuse_long(expected.get(entry.key, 0.0), limits)
            timed[entry.key], plans[entry.key] = prepare(pool.client(entry), entry, structure, limits)
            say(f"  {entry.label}: first call {timed[entry.key].first_s:.2f} s")
        except NotMeasured as error:
            failures[entry.key] = str(error)
            say(f"  {entry.label}: not measured ({error})")
    take_turns(pool, entries, timed, plans, failures, limits)
    time_new_lists(pool, entries, timed, failures, limits)
    pool.release(timed)
    return results(timed, failures)


def refuse_long(seconds: float, limits: Limits) -> None:
    """Raise NotMeasured where a call is expected to take too long."""
    if math.isinf(seconds):
        raise NotMeasured("nor on the smaller structure")
    if seconds > limits.call_s:
        raise NotMeasured(f"about {seconds:.0f} s per call expected, over the time limit of {limits.call_s:.0f} s")


def prepare(client: Client, entry: Entry, structure: Structure, limits: Limits) -> tuple[Timed, Plan]:
    """Build the model, make the first calls, and see how many repetitions there is time for."""
    built = client.ask(PREPARING_SECONDS, do="prepare", options=entry.options, structure=to_message(structure))
    patience = PATIENCE * limits.call_s + PREPARING_SECONDS
    first = client.ask(patience, do="time", first=0, count=1)
    warm = client.ask(patience, do="time", first=1, count=WARM_UP)["seconds"][-1]
    refuse_long(warm, limits)
    timed = Timed(first["seconds"][0], built["seconds"], {}, [], first["force_norm"])
    return timed, plan_repetitions(warm, limits.budget_s)


def take_turns(
    pool: Pool,
    entries: list[Entry],
    timed: dict[str, Timed],
    plans: dict[str, Plan],
    failures: dict[str, str],
    limits: Limits,
) -> None:
    """Round robin: in each round each entry that takes part runs one burst."""
    total = max((plan.rounds for plan in plans.values()), default=0)
    for number in range(total):
        for entry in entries:
            if entry.key in failures or not takes_part(number, plans[entry.key].rounds, total):
                continue
            plan = plans[entry.key]
            count = plan.discard + plan.burst
            try:
                reply = pool.clients[entry.key].ask(
                    PATIENCE * limits.call_s * count, do="time", first=1000 + number * 100, count=count
                )
                timed[entry.key].rounds[number] = reply["seconds"][plan.discard :]
            except NotMeasured as error:
                failures[entry.key] = str(error)


def time_new_lists(
    pool: Pool, entries: list[Entry], timed: dict[str, Timed], failures: dict[str, str], limits: Limits
) -> None:
    """Calls of ours that search neighbours; other packages search at each call."""
    for entry in entries:
        if entry.package == OURS and entry.is_main and entry.key not in failures:
            patience = PATIENCE * limits.call_s * NEW_LISTS
            try:
                reply = pool.clients[entry.key].ask(patience, do="time", first=0, count=NEW_LISTS, jump=True)
                timed[entry.key].new_list.extend(reply["seconds"][1:])
            except NotMeasured as error:
                failures[entry.key] = str(error)


def results(timed: dict[str, Timed], failures: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Numbers of what was timed, reasons for the rest."""
    reference = {} if REFERENCE in failures or REFERENCE not in timed else round_medians(timed[REFERENCE].rounds)
    found: dict[str, dict[str, Any]] = {key: {"not_measured": reason} for key, reason in failures.items()}
    for key, one in timed.items():
        if key not in failures:
            found[key] = numbers(one, reference)
    return found


def numbers(one: Timed, reference: dict[int, float]) -> dict[str, Any]:
    """Seconds: first call, steady state, and with a new list; and how much faster than the reference."""
    ratio = paired_ratios(reference, round_medians(one.rounds))
    return {
        "prepare_s": one.prepare_s,
        "first_s": one.first_s,
        "steady_s": summarise([second for burst in one.rounds.values() for second in burst])._asdict(),
        "speedup": ratio._asdict() if ratio else None,
        "new_list_s": summarise(one.new_list)._asdict() if one.new_list else None,
        "force_norm": one.force_norm,
    }
