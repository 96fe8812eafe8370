"""Where and when something was measured."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
GIB = 1024**3
STOLEN = 7  # among the times of the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal


def describe(device: str) -> dict[str, Any]:
    """Processor, cores, memory, operating system, GPU, date and commit."""
    return {
        "processor": processor(),
        "cores": cores(),
        "memory_gib": round(memory_gib(), 1),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "gpu": torch.cuda.get_device_name() if device == "cuda" else None,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
    }


def processor() -> str:
    """The model name."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_gib() -> float:
    """Physical memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


class StolenTime:
    """How much of the processors' time went to other guests of the same machine since this object was made."""

    def __init__(self) -> None:
        self._start = _jiffies()

    def share(self) -> float | None:
        """Between 0 and 1; None where the system does not say."""
        now = _jiffies()
        if not now or not self._start:
            return None
        passed = [one - other for one, other in zip(now, self._start, strict=True)]
        return round(passed[STOLEN] / max(1, sum(passed)), 4)


def commit() -> str:
    """The commit that is checked out, with "+" if files differ from it."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _jiffies() -> list[int]:
    statistics = Path("/proc/stat")
    if not statistics.exists():
        return []
    return [int(word) for word in statistics.read_text(encoding="utf-8").split("\n")[0].split()[1 : STOLEN + 2]]


def _git(*arguments: str) -> str:
    found = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return found.stdout.strip()
