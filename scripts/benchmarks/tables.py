"""Markdown tables from the runs of docs/benchmark.json."""

from typing import Any, Iterable

MILLI = 1000.0
MICRO = 1e6
NOT_MEASURED = "not measured"
NOT_RUN = "-"  # not meant to be measured
DEVICE_NAMES = {"cpu": "CPU", "cuda": "GPU"}

Run = dict[str, Any]


def report(runs: dict[str, Run]) -> str:
    """Everything about every device."""
    return "\n\n".join(device_report(device, run) for device, run in runs.items())


def device_report(device: str, run: Run) -> str:
    """The tables of one device, or the reason why there are none."""
    name = DEVICE_NAMES[device]
    if is_missing(run):
        return f"{name}: not measured ({reason(run)})."
    titled = {
        "time of one evaluation of energy and forces (ms; quartiles)": time_table(run),
        "how many times as fast as so3krates-torch (median; quartiles)": speedup_table(run),
        "what else an evaluation costs": cost_table(run),
        "scaling with the size of periodic water (microseconds per atom)": scaling_table(run),
        "whole steps of dynamics of 0.5 fs": dynamics_table(run),
    }
    return with_titles(name, titled, run)


def with_titles(name: str, titled: dict[str, str], run: Run) -> str:
    """The tables that have rows under their titles, then what is missing and where it was measured."""
    parts = [f"{name}: {title}\n\n{rows}" for title, rows in titled.items() if rows]
    return "\n\n".join(part for part in [*parts, missing_notes(run), provenance(run)] if part)


def readme_section(runs: dict[str, Run]) -> str:
    """What README.md shows: the plot, and for each device times with speed-ups, and steps of dynamics."""
    plot = "" if all(map(is_missing, runs.values())) else "![Time per evaluation against atoms](docs/benchmark.png)"
    return "\n\n".join(part for part in [plot, *(summary(device, run) for device, run in runs.items())] if part)


def summary(device: str, run: Run) -> str:
    """The short form of ``device_report``."""
    name = DEVICE_NAMES[device]
    if is_missing(run):
        return f"{name}: not measured ({reason(run)})."
    titled = {
        "ms for energy and forces (in brackets: how many times as fast as so3krates-torch)": by_structure(
            run, time_and_speedup
        ),
        "whole steps of dynamics of 0.5 fs": dynamics_table(run),
    }
    return with_titles(name, titled, run)


def time_and_speedup(one: dict[str, Any]) -> str:
    """Median time and median ratio."""
    ratio = f" ({digits(one['speedup']['median'])}x)" if one["speedup"] else ""
    return digits(one["steady_s"]["median"] * MILLI) + ratio


def time_table(run: Run) -> str:
    """Rows: entries; columns: structures."""
    return by_structure(run, lambda one: spread(one["steady_s"], MILLI))


def speedup_table(run: Run) -> str:
    """The same, relative to so3krates-torch in the same rounds."""
    return by_structure(run, lambda one: spread(one["speedup"], 1.0) if one["speedup"] else NOT_MEASURED)


def by_structure(run: Run, cell: Any) -> str:
    """A table of ``cell`` for each entry and structure."""
    names = list(run["evaluations"])
    header = ["", *(f"{name}, {run['structures'][name]['atoms']:,} atoms" for name in names)]
    rows = [[entry["label"], *(entry_cell(run, name, key, cell) for name in names)] for key, entry in labels(run)]
    return table(header, rows)


def entry_cell(run: Run, name: str, key: str, cell: Any) -> str:
    """One cell; an entry that is not there was not meant to be measured, one of a missing package could not."""
    found = run["evaluations"][name].get(key)
    if found is None:
        package = run["packages"][run["entries"][key]["package"]]
        return NOT_MEASURED if is_missing(package) else NOT_RUN
    return NOT_MEASURED if is_missing(found) else cell(found)


def cost_table(run: Run) -> str:
    """First call, building, a new neighbour list (on the largest structure of all) and memory, of main entries."""
    header = ["", "structure", "first call (s)", "building the model (s)", "steady (ms)", "with a new list (ms)"]
    header += ["memory after imports (MB)", "largest memory (MB)"]
    rows = []
    for name, memory in run["memory"].items():
        for key, found in memory.items():
            one = run["evaluations"][name][key]
            rows.append([run["entries"][key]["label"], name, *costs(one), *memory_cells(found)])
    return table(header, rows) if rows else ""


def costs(one: dict[str, Any]) -> list[str]:
    """What the evaluations said."""
    new_list = spread(one["new_list_s"], MILLI) if one["new_list_s"] else "every call"
    return [digits(one["first_s"]), digits(one["prepare_s"]), digits(one["steady_s"]["median"] * MILLI), new_list]


def memory_cells(found: dict[str, Any]) -> list[str]:
    """Baseline and peak."""
    if is_missing(found):
        return [NOT_MEASURED, NOT_MEASURED]
    gpu = f" + {found['gpu_peak_mb']:,.0f} on the GPU" if "gpu_peak_mb" in found else ""
    return [f"{found['baseline_mb']:,.0f}", f"{found['peak_mb']:,.0f}{gpu}"]


def scaling_table(run: Run) -> str:
    """Main entries on periodic structures."""
    names = [name for name in run["evaluations"] if run["structures"][name]["periodic"]]
    header = ["", *(f"{run['structures'][name]['atoms']:,} atoms" for name in names)]

    def cells(key: str) -> Iterable[str]:
        for name in names:
            atoms = run["structures"][name]["atoms"]
            yield entry_cell(run, name, key, lambda one, n=atoms: digits(one["steady_s"]["median"] / n * MICRO))

    rows = [[entry["label"], *cells(key)] for key, entry in labels(run) if entry["is_main"]]
    return table(header, rows) if names else ""


def dynamics_table(run: Run) -> str:
    """Rows: structure, model and engine."""
    header = ["structure", "model", "engine", "ms per step (quartiles)", "ns/day", "over the bare evaluation (%)"]
    rows = []
    for name, models in run["dynamics"].items():
        for model, engines in models.items():
            if is_missing(engines):
                rows.append([name, model, reason(engines), *[NOT_MEASURED] * 3])
                continue
            rows += [[name, model, engine, *step_cells(one)] for engine, one in engines.items()]
    return table(header, rows) if rows else ""


def step_cells(one: dict[str, Any]) -> list[str]:
    """Time, speed and overhead of one engine."""
    return [spread(one["step_s"], MILLI), digits(one["ns_per_day"]), overhead(one["overhead_percent"])]


def overhead(found: dict[str, float]) -> str:
    """Percent with quartiles; the bare evaluation has none over itself."""
    if found["q1"] == found["q3"] == 0.0:
        return ""
    return f"{found['median']:+.1f} ({found['q1']:+.1f} to {found['q3']:+.1f})"


def missing_notes(run: Run) -> str:
    """Why something was not measured, one line for each reason."""
    reasons: dict[str, list[str]] = {}
    for package, found in run["packages"].items():
        if is_missing(found):
            reasons.setdefault(reason(found), []).append(package)
    for name, entries in run["evaluations"].items():
        for key, found in entries.items():
            if is_missing(found):
                reasons.setdefault(reason(found), []).append(f"{run['entries'][key]['label']} on {name}")
    return "\n".join(f"- Not measured: {'; '.join(what)}: {why}." for why, what in reasons.items())


def provenance(run: Run) -> str:
    """Machine, date and versions."""
    machine, settings = run["machine"], run["settings"]
    versions = {
        f"{name} {version}"
        for found in run["packages"].values()
        if not is_missing(found)
        for name, version in found.items()
    }
    gpu = f"{machine['gpu']}, " if machine["gpu"] else ""
    return (
        f"Measured on {gpu}{machine['processor']}, {machine['cores']} cores, {settings['threads']} threads,"
        f" {machine['memory_gib']:.0f} GiB, {machine['system']}, {machine['date']}, commit {machine['commit']};"
        f" {', '.join(sorted(versions))}. Random weights, float32, cutoff 5 A.{stolen(machine)}"
    )


def stolen(machine: dict[str, Any]) -> str:
    """A sentence on what other guests of the same machine took."""
    share = machine.get("stolen")
    return "" if share is None else f" Other guests of the machine took {100 * share:.1f} % of the processors' time."


def labels(run: Run) -> list[tuple[str, dict[str, Any]]]:
    """Entries in order."""
    return list(run["entries"].items())


def is_missing(found: dict[str, Any]) -> bool:
    """Whether there is a reason instead of numbers."""
    return "not_measured" in found


def reason(found: dict[str, Any]) -> str:
    """Why there are no numbers."""
    return found["not_measured"]


def spread(summary: dict[str, float], factor: float) -> str:
    """Median and quartiles."""
    median, q1, q3 = (digits(summary[name] * factor) for name in ("median", "q1", "q3"))
    return f"{median} ({q1}-{q3})"


def digits(value: float) -> str:
    """Three significant digits without an exponent."""
    value = float(f"{value:.3g}")
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
