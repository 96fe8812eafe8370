"""Medians with quartiles, ratios between packages, and how many repetitions a time budget allows."""

from typing import NamedTuple, Sequence

import numpy as np


class Summary(NamedTuple):
    """Median and interquartile range of ``repetitions`` values."""

    median: float
    q1: float
    q3: float
    repetitions: int


class Plan(NamedTuple):
    """How one entry is timed: ``rounds`` bursts of ``burst`` calls each, after ``discard`` calls that do not count."""

    rounds: int
    burst: int
    discard: int


LONGEST_BURST = 20
BURST_SECONDS = 0.2
# A call this long forgets that other processes ran before it.
LONG_CALL_SECONDS = 0.5
FEWEST_ROUNDS = 5
MOST_ROUNDS = 25


def summarise(values: Sequence[float]) -> Summary:
    """The summary of at least one value."""
    q1, median, q3 = np.percentile(np.asarray(values, dtype=float), [25, 50, 75])
    return Summary(float(median), float(q1), float(q3), len(values))


def paired_ratios(reference: dict[int, float], other: dict[int, float]) -> Summary | None:
    """``reference / other`` in the rounds where both ran; noise of the machine hits both alike. None without any."""
    shared = sorted(reference.keys() & other.keys())
    return summarise([reference[number] / other[number] for number in shared]) if shared else None


def round_medians(rounds: dict[int, list[float]]) -> dict[int, float]:
    """One number for each round."""
    return {number: float(np.median(values)) for number, values in rounds.items()}


def plan_repetitions(seconds: float, budget: float) -> Plan:
    """Bursts for a call of this length within a budget (s), but never fewer than five rounds."""
    burst = int(np.clip(BURST_SECONDS / seconds, 1, LONGEST_BURST))
    discard = 1 if seconds < LONG_CALL_SECONDS else 0
    affordable = int(budget / (seconds * (burst + discard)))
    return Plan(int(np.clip(affordable, FEWEST_ROUNDS, MOST_ROUNDS)), burst, discard)


def takes_part(number: int, rounds: int, total: int) -> bool:
    """Whether an entry of ``rounds`` rounds runs in round ``number`` of ``total``: evenly spread."""
    return (number + 1) * rounds // total > number * rounds // total
