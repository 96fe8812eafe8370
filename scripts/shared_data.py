"""Where public data sets are: in $SAKEFF_SHARED, by default ../shared beside this checkout."""

import os
from pathlib import Path

SHARED = Path(os.environ.get("SAKEFF_SHARED", Path(__file__).resolve().parents[2] / "shared"))
