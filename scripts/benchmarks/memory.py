"""Largest resident set of a fresh process that evaluates one structure."""

from typing import Any, Callable

from benchmarks.client import Client, NotMeasured
from benchmarks.entries import Entry
from benchmarks.structure import Structure, to_message

# The third call of a TorchScript program runs what it was compiled to.
CALLS = 3


def measure_memory(
    launch: Callable[[Entry], Client], entry: Entry, structure: Structure, limit: float
) -> dict[str, Any]:
    """Megabytes after the imports and at most, or the reason why there are none."""
    try:
        with launch(entry) as client:
            client.ask(limit, do="prepare", options=entry.options, structure=to_message(structure))
            client.ask(limit, do="time", first=0, count=CALLS)
            return client.ask(do="memory")
    except NotMeasured as error:
        return {"not_measured": str(error)}
