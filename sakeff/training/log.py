"""Metrics as JSON lines."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Dict, List

from sakeff.errors import TrainingError
from sakeff.io import write_text


class MetricsLog:
    """Appends one JSON object per line; `rewind` drops what a killed run wrote after its last state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, record: Dict[str, Any]) -> None:
        """Add one line; what is not finite becomes null, as JSON has no NaN."""
        record = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def rewind(self, step: int) -> None:
        """Keep only whole records up to `step`."""
        kept = [json.dumps(record) + "\n" for record in self.records() if record["step"] <= step]
        write_text(self.path, "".join(kept), overwrite=True)

    def records(self) -> List[Dict[str, Any]]:
        """All whole records; a line cut short by a kill does not count. Raises `TrainingError` for a damaged one."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        try:
            return [json.loads(line) for line in lines if line.endswith("}")]
        except json.JSONDecodeError as error:
            raise TrainingError(f"{self.path} has a damaged line ({error}); take that line out.") from error


class NoLog:
    """For the processes that leave writing to the first."""

    def append(self, record: Dict[str, Any]) -> None:
        """Nothing."""

    def rewind(self, step: int) -> None:
        """Nothing."""
