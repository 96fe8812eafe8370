"""docs/comparison.md from docs/comparison.json."""

from typing import Any

from benchmarks.tables import MILLI, digits, spread, stolen, table

INTRODUCTION = """# All architectures on MD17 ethanol

Written by `python scripts/comparison.py table` from the recipes of `scripts/comparison`, which agree in everything but
the representation and the learning rate: {train} molecules to train on, {validation} to validate, {test:,} of another
file to test, labels of the original MD17; {molecules:,} molecules seen ({steps:,} steps of {batch}), loss weights
{energy} of energies and {forces} of forces, Adam with a {schedule} schedule. The budget is small, so that all of them
can be trained on one core in about an hour: errors here say which architecture learns fast, not how good it becomes,
and are not to be compared with published ones. In ethanol every atom sees nearly all others within the cutoff of 5 A,
so that the non-local correction has nothing far to add."""

ERRORS = """Errors of energies (meV) and forces (meV/A) on the test set, with the averaged weights that were best on the
validation set. One training run for each; differences of a few percent may be luck of the seed."""

TIMES = """Times are medians with quartiles on one thread in float32. A step is a whole one of training, {compiled};
an evaluation is energy and forces of one ethanol molecule by the exported file of the reference form: the fast paths
that SAKE and So3krates have are not used."""

BASELINES = """SchNet and PaiNN are left out: none comes from a library in a form that this loop trains as it is."""

RATES = """Force error on the validation set (meV/A) after trials of {trial_steps} steps; the better rate was taken."""


def as_markdown(document: dict[str, Any]) -> str:
    """The page."""
    rows, shared = list(document["rows"].values()), document["protocol"]
    times = TIMES.format(compiled="compiled" if shared["compile"] else "not compiled")
    parts = [introduction(shared, rows), ERRORS, error_table(rows), times, time_table(rows)]
    parts += [RATES.format(**shared), rate_table(rows), BASELINES]
    parts += [*missing_note(document), provenance(document["measured"])]
    return "\n\n".join(parts) + "\n"


def introduction(shared: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """What was done."""
    return INTRODUCTION.format(
        train=shared["data"]["train"],
        validation=shared["data"]["validation"],
        test=rows[0]["test"]["frames"],
        molecules=shared["molecules_seen"],
        steps=shared["steps"],
        batch=shared["batch_size"],
        energy=shared["loss"]["energy"],
        forces=shared["loss"]["forces"],
        schedule=shared["schedule"]["name"],
    )


def error_table(rows: list[dict[str, Any]]) -> str:
    """Errors on the test set."""
    keys = ("energy_mae_meV", "energy_rmse_meV", "force_mae_meV_per_A", "force_rmse_meV_per_A")
    header = ["model", "parameters", "energy MAE", "energy RMSE", "force MAE", "force RMSE"]
    cells = [[row["model"], f"{row['parameters']:,}", *[digits(row["test"][key]) for key in keys]] for row in rows]
    return table(header, cells)


def time_table(rows: list[dict[str, Any]]) -> str:
    """What each costs."""
    header = ["model", "ms per training step", "ms per evaluation", "minutes of training"]
    cells = [
        [row["model"], spread(row["step_s"], MILLI), spread(row["evaluation_s"], MILLI), f"{row['minutes']:.0f}"]
        for row in rows
    ]
    return table(header, cells)


def rate_table(rows: list[dict[str, Any]]) -> str:
    """What the trials said."""
    rates = list(rows[0]["trials"])
    cells = [
        [row["model"], *[digits(row["trials"][rate]) for rate in rates], f"{row['learning_rate']:g}"] for row in rows
    ]
    return table(["model", *[f"rate {rate}" for rate in rates], "taken"], cells)


def missing_note(document: dict[str, Any]) -> list[str]:
    """Which architectures have no row yet."""
    missing = document["not_trained"]
    return [f"Not trained yet: {', '.join(missing)}."] if missing else []


def provenance(measured: dict[str, Any]) -> str:
    """Machine, date and versions."""
    machine = measured["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(measured["versions"].items()))
    return (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {measured['threads']} thread,"
        f" {machine['memory_gib']:.0f} GiB, {machine['system']}, {machine['date']}, commit {machine['commit']};"
        f" {versions}.{stolen(machine)}"
    )
