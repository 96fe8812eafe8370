"""Small forecasting data sets and recipes."""

from sakeff.forecasting.charged import Protocol
from sakeff.forecasting.dataset import generate
from tests.training.builders import RUN

SHORT = Protocol(steps=1501, every=100)  # 15 frames
SIZES = {"train": 40, "validation": 12, "test": 7}
TINY = {"name": "sake", "width": 8, "layers": 2, "heads": 2, "coefficients": 4, "basis_size": 6, "cutoff": 8.0}


def make_data(folder, seed=1):
    """A small data set in `folder`."""
    generate(folder, seed, SIZES, SHORT)
    return folder


def recipe(folder, **changes):
    """A training document for a tiny forecaster; 3 steps an epoch, the last batch not full."""
    document = {
        "task": {"folder": str(folder), "input_frame": 4, "target_frame": 9},
        "representation": TINY,
        "optimizer": {"learning_rate": 0.01},
        "batch_size": 16,
    }
    return {**RUN, **document, **changes}
