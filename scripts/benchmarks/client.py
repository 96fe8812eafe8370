"""The other end of ``benchmarks.worker``: starts the process, asks, and gives up after a time limit."""

import json
import os
import select
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

SCRIPTS = Path(__file__).resolve().parent.parent
STARTING_SECONDS = 120.0


class NotMeasured(Exception):  # noqa: N818 (a result, not a mistake)
    """Why there is no number."""


class Launch(NamedTuple):
    """How a worker is started."""

    python: Path
    module: str  # of benchmarks.packages
    device: str
    threads: int
    memory_gb: float
    log: Path


class Client:
    """One living worker; use as a context manager, or call ``stop``."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        numbers = [launch.device, str(launch.threads), str(launch.memory_gb)]
        with launch.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(launch.python), "-m", "benchmarks.worker", launch.module, *numbers],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(launch.threads),
                text=True,
            )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, limit: float = STARTING_SECONDS, **message: Any) -> dict[str, Any]:
        """The reply to a message within ``limit`` seconds.

        Raises NotMeasured with the reason that the worker gave, or because it died or took too long; it is ended then.
        """
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], limit)
            line = self.process.stdout.readline() if ready else None
        except BrokenPipeError:
            line = ""
        if line is None:
            self.stop()
            raise NotMeasured(f"over the time limit of {limit:.0f} s")
        if not line:
            self.stop()
            raise NotMeasured(f"the process ended ({last_line(self.launch.log)})")
        reply = json.loads(line)
        if "error" in reply:
            raise NotMeasured(reason(reply["error"], self.launch.memory_gb))
        return reply

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self.process.poll() is None


def environment(threads: int) -> dict[str, str]:
    """The environment of the script with a fixed number of threads."""
    counts = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS")}
    return {**os.environ, **counts, "PYTHONPATH": str(SCRIPTS)}


def reason(error: str, memory_gb: float) -> str:
    """A worker's error as a reason in a table."""
    out_of_memory = ("allocate memory", "Cannot allocate", "out of memory", "Unable to allocate", "bad_alloc")
    if any(sign in error for sign in out_of_memory):
        return f"over the memory limit of {memory_gb:.0f} GiB"
    return error


def last_line(log: Path) -> str:
    """What the process said last."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
