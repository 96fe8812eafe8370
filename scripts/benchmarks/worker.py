"""A process that times one package: ``python -m benchmarks.worker MODULE THREADS MEMORY_GB``.

It answers each line of JSON on its input with one on its output:

  {"do": "describe"}                                     versions, and memory after the imports
  {"do": "prepare", "options": .., "structure": ..}      builds the model; the time that took
  {"do": "time", "first": 7, "count": 3, "jump": false}  seconds of repetitions 7, 8 and 9
  {"do": "memory"}                                       largest resident set so far
  {"do": "dynamics", ..}                                 see benchmarks.dynamics; of sakeff alone
  {"do": "release"}                                      forgets the model

What cannot be done is answered with {"error": reason}.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import math
import os
import resource
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, TextIO

import numpy as np

from benchmarks.structure import Structure, from_message, moved

GIB = 1024**3


class Worker:
    """The state between two messages: a package, and the function and structure that were prepared last."""

    def __init__(self, package: ModuleType, device: str) -> None:
        self.package = package
        self.device = device
        self.baseline = resident_peak_mb()
        self.forces: Callable[[np.ndarray], np.ndarray] | None = None
        self.structure: Structure | None = None

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """The reply to one message."""
        handlers = {
            "describe": self.describe,
            "prepare": self.prepare,
            "time": self.time,
            "memory": self.memory,
            "release": self.release,
            "dynamics": self.dynamics,
        }
        arguments = {key: value for key, value in message.items() if key != "do"}
        return handlers[message["do"]](**arguments)

    def describe(self) -> dict[str, Any]:
        """Versions of what runs here."""
        return {"versions": {name: installed(name) for name in self.package.DISTRIBUTIONS}}

    def prepare(self, options: dict[str, Any], structure: dict[str, Any]) -> dict[str, Any]:
        """Build the model for a structure; nothing is evaluated yet."""
        self.release()
        self.structure = from_message(structure)
        start = time.perf_counter()
        self.forces = self.package.make(options, self.structure, self.device)
        return {"seconds": time.perf_counter() - start}

    def time(self, first: int, count: int, jump: bool = False) -> dict[str, Any]:
        """Wall time of each of ``count`` evaluations, the motion between them left out."""
        if self.forces is None or self.structure is None:
            raise RuntimeError("nothing has been prepared")
        seconds = []
        for number in range(first, first + count):
            positions = moved(self.structure, number, jump)
            self.synchronise()
            start = time.perf_counter()
            forces = self.forces(positions)
            self.synchronise()
            seconds.append(time.perf_counter() - start)
        norm = float(np.linalg.norm(forces))
        if not math.isfinite(norm):
            raise RuntimeError("the forces are not finite")
        return {"seconds": seconds, "force_norm": norm}

    def memory(self) -> dict[str, Any]:
        """Largest resident set of this process (MB) after the imports and until now, and that of a GPU."""
        found = {"baseline_mb": self.baseline, "peak_mb": resident_peak_mb()}
        if self.device == "cuda":
            torch = importlib.import_module("torch")
            found["gpu_peak_mb"] = torch.cuda.max_memory_allocated() / 1e6
        return found

    def dynamics(self, **arguments: Any) -> dict[str, Any]:
        """Time whole steps of dynamics."""
        return importlib.import_module("benchmarks.dynamics").measure(device=self.device, **arguments)

    def release(self) -> dict[str, Any]:
        """Forget model and structure, and give their memory back to the system."""
        self.forces = self.structure = None
        gc.collect()
        trim_heap()
        return {}

    def synchronise(self) -> None:
        """Wait until the GPU has done what it was asked for."""
        if self.device == "cuda":
            importlib.import_module("torch").cuda.synchronize()


def installed(name: str) -> str:
    """The version of a distribution."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def resident_peak_mb() -> float:
    """VmHWM, MB. (ru_maxrss would start at the size of the process that started this one.)"""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError("the kernel does not tell the largest resident set")


def trim_heap() -> None:
    """Hand free memory back, where the C library can (glibc)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def private_output() -> TextIO:
    """The real standard output; whatever a package prints goes to the log."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def serve(worker: Worker, lines: TextIO, output: TextIO) -> None:
    """Answer until the input ends."""
    for line in lines:
        try:
            reply = worker.answer(json.loads(line))
        except Exception as error:  # whatever a package raises is the reason why it was not measured
            text = str(error).strip() or type(error).__name__
            reply = {"error": text.splitlines()[-1][:300]}
        output.write(json.dumps(reply) + "\n")
        output.flush()


def main() -> None:
    """Import the package with a fixed number of threads and limited memory, and serve."""
    module, device, threads, memory_gb = sys.argv[1:]
    output = private_output()
    limit = int(float(memory_gb) * GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    package = importlib.import_module(f"benchmarks.packages.{module}")
    importlib.import_module("torch").set_num_threads(int(threads))
    serve(Worker(package, device), sys.stdin, output)


if __name__ == "__main__":
    main()
