"""How fast energies and forces are, here and in other packages: same structures, same threads, one run, in turns.

    python scripts/benchmark.py install              # public packages into .bench/ (once)
    python scripts/benchmark.py run                  # everything; writes docs/benchmark.json, .png and .md
    python scripts/benchmark.py run --quick --output /tmp/benchmark.json
    python scripts/benchmark.py show                 # the tables of docs/benchmark.json
    python scripts/readme_tables.py                  # puts them into README.md

Weights are random with a fixed seed in every package: only speed is compared. float32. The time of a call includes the
neighbour list as each package updates it in dynamics; atoms are moved a little between calls.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from benchmarks import environments
from benchmarks.document import read_runs, write_run
from benchmarks.entries import MODELS, PATHS, ROUTES
from benchmarks.plot import write_plot
from benchmarks.run import FULL, QUICK, Settings, run
from benchmarks.tables import report

from sakeff.errors import SakeffError
from sakeff.io import refuse_existing, write_text

OUTPUT = Path(__file__).resolve().parent.parent / "docs" / "benchmark.json"


def main(arguments: list[str] | None = None) -> int:
    """Parse, then one call."""
    options = parser().parse_args(arguments)
    return {"install": install, "run": measure, "show": show}[options.command](options)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("install", help="make the environments of the public packages")
    for name in ("run", "show"):
        command = commands.add_parser(name)
        command.add_argument("--output", type=Path, default=OUTPUT, help="a .json file; plot and tables lie beside it")
    add_run_options(commands.choices["run"])
    return top


def add_run_options(command: argparse.ArgumentParser) -> None:
    """What can be chosen for a run; None means as in the full or quick settings."""
    command.add_argument("--quick", action="store_true", help="small structures and few repetitions: two minutes")
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    command.add_argument("--threads", type=int, default=None, help="default: 2")
    command.add_argument("--paths", nargs="+", choices=list(PATHS), default=None, help="ours; every route of the first")
    command.add_argument("--models", nargs="+", choices=list(MODELS), default=None, help="of ours")
    command.add_argument("--routes", nargs="+", choices=list(ROUTES), default=None, help="of ours")
    command.add_argument("--packages", nargs="*", default=None, help="public packages; none with no name")
    command.add_argument("--structures", nargs="+", default=None)
    command.add_argument("--dynamics", nargs="*", default=None, help="structures for whole steps of dynamics")
    command.add_argument("--memory", dest="memory_structures", nargs="*", default=None, help="structures for memory")
    command.add_argument("--call-limit", dest="call_s", type=float, default=None, help="s; longer is not measured")
    command.add_argument("--budget", dest="budget_s", type=float, default=None, help="s for each entry and structure")
    command.add_argument("--memory-limit", dest="memory_gb", type=float, default=None, help="GiB for each process")
    command.add_argument("--overwrite", action="store_true")


def install(_: argparse.Namespace) -> int:
    """Every package that can be had."""
    failures = environments.install_all()
    for package, why in failures.items():
        print(f"{package} is not installed ({why}); the benchmark runs without it.")
    return int(bool(failures))


def measure(options: argparse.Namespace) -> int:
    """Run, write, and print the tables."""
    refuse_existing(options.output, options.overwrite)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here; its column stays 'not measured'.")
    found = run(settings(options), partial(print, flush=True))
    runs = write_run(options.output, options.device, found, options.overwrite)
    write_plot(options.output.with_suffix(".png"), runs, overwrite=True)
    write_text(options.output.with_suffix(".md"), f"# Benchmark\n\n{report(runs)}\n", overwrite=True)
    print(report(runs))
    return 0


def settings(options: argparse.Namespace) -> Settings:
    """The full or quick settings with what was chosen."""
    chosen = {name: value for name, value in vars(options).items() if name in Settings._fields and value is not None}
    return (QUICK if options.quick else FULL)._replace(**chosen)


def show(options: argparse.Namespace) -> int:
    """Print what has been measured."""
    print(report(read_runs(options.output)))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SakeffError as error:
        sys.exit(str(error))
