"""The linear forecast: everything changes in proportion to the velocity. What every model must beat."""

from __future__ import annotations

from typing import Dict

from sakeff.forecasting.config import TaskConfig
from sakeff.forecasting.dataset import Sets
from sakeff.forecasting.task import Samples, make_samples


def linear_errors(sets: Sets, task: TaskConfig) -> Dict[str, float]:
    """Mean squared errors on the test set of ``change = slope v``, the slope of each target fitted on the training set.

    The keys are those of `ForecastErrors.named`.
    """
    train = make_samples(sets.train, task.train_inputs, task.horizon, task.names)
    test = make_samples(sets.test, [task.input_frame], task.horizon, task.names)
    return {f"mse_{name}": _error(train, test, index) for index, name in enumerate(task.names)}


def _error(train: Samples, test: Samples, index: int) -> float:
    slope = (train.changes[:, :, index] * train.velocities).sum() / (train.velocities**2).sum()
    return float(((test.changes[:, :, index] - slope * test.velocities) ** 2).mean())
