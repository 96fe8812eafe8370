import numpy as np
import pytest

from sakeff.forecasting.baseline import linear_errors
from sakeff.forecasting.config import TaskConfig
from sakeff.forecasting.dataset import load_sets


def test_the_slope_is_the_best_on_the_training_set(data):
    task = TaskConfig(folder=str(data), input_frame=4, target_frame=9, targets={"velocities": 1.0, "positions": 1.0})
    sets = load_sets(data)

    def frames(stored):
        """Moves and velocities, flat."""
        arrays = stored.trajectories
        move = arrays.positions[:, 9] - arrays.positions[:, 4]
        return move.flatten().astype(float), arrays.velocities[:, 4].flatten().astype(float)

    move, velocity = frames(sets.train)
    slope = np.linalg.lstsq(velocity[:, None], move, rcond=None)[0]
    move, velocity = frames(sets.test)
    got = linear_errors(sets, task)
    assert got["mse_positions"] == pytest.approx(((move - slope * velocity) ** 2).mean(), rel=1e-5)
    assert set(got) == {"mse_positions", "mse_velocities"}
