"""``sakeff doctor``."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import click

from sakeff.cli.probes import PROBES, Probe

TIMEOUT = 180  # seconds; importing torch from a cold disk takes long
WIDTH = 90  # characters of an exception that are shown


class Finding(NamedTuple):
    """What one probe said."""

    probe: Probe
    works: bool
    detail: str


@click.command(short_help="Try what is installed and which paths work.")
def doctor() -> None:
    """Try what is installed and which paths work, each in a process of its own, and say what to install.

    Ends with exit code 2 if the base install (torch, ASE, vesin) does not work.
    """
    from sakeff.drivers.report import table

    findings = []
    for probe in PROBES:
        findings.append(examine(probe))
        click.echo(f"\rtrying {len(findings)}/{len(PROBES)}", nl=False, err=True)
    click.echo(err=True)
    rows = [[f.probe.name, "works" if f.works else "MISSING" if f.probe.required else "no", f.detail] for f in findings]
    click.echo(table(["path", "state", "detail"], rows))
    if any(finding.probe.required and not finding.works for finding in findings):
        raise SystemExit(2)


def examine(probe: Probe) -> Finding:
    """Run a probe in a subprocess, so that a crash or a wrong library harms nobody."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "probe.py"  # a file, because TorchScript reads the source of what it compiles
        script.write_text(probe.code, encoding="utf-8")
        command = [sys.executable, "-W", "ignore", str(script)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            return Finding(probe, False, f"no answer within {TIMEOUT} s")
    if done.returncode == 0:
        return Finding(probe, True, last_line(done.stdout))
    reason = last_line(done.stderr)[:WIDTH] or f"ended with code {done.returncode}"
    return Finding(probe, False, f"{reason} -> {probe.mend}")


def last_line(text: str) -> str:
    """The last line that says something: the version, or the exception."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
