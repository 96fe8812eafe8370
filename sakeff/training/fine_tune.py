"""Fine-tuning without a recipe: the model says what is trained, a file of labelled structures on what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Union

from sakeff.training.config import TrainConfig, parse_train_config

# A few thousand steps see some hundred structures often enough; the average of the weights evens out the last of them.
FINE_TUNING: Dict[str, Any] = {
    "optimizer": {"name": "adam", "learning_rate": 1e-3, "clip": 1.0},
    "schedule": {"name": "cosine", "warmup_steps": 100},
    "average_decay": 0.999,
    "batch_size": 8,
    "steps": 3000,
    "validate_every": 250,
    "checkpoint_minutes": 1.0,
}
FRACTIONS = {"train": 0.8, "validation": 0.1}  # the rest is for the test


def fine_tuning_config(files: Sequence[Union[str, Path]], options: Optional[Dict[str, str]] = None) -> TrainConfig:
    """The built-in recipe on 80 % of the frames in `files`, validated on 10 % and tested on the rest.

    `options` go to the reader. There is no potential in it: `training.run.train` takes that of `init_from`.
    """
    data = {"path": [str(path) for path in files], **FRACTIONS, "options": options or {}}
    return parse_train_config({"data": data, **FINE_TUNING})
