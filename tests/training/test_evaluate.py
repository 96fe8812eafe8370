import numpy as np
import pytest
import torch

from sakeff.data.store import FrameStore, frames_to_system
from sakeff.errors import DataError
from sakeff.neighbours import neighbour_list
from sakeff.training.evaluate import Validator, evaluate
from sakeff.training.loss import EnergyForceLoss
from sakeff.training.plots import plot_learning_curve, plot_parity
from sakeff.training.world import SingleProcess
from tests.training.builders import make_frames


def one_by_one(potential, frames):
    """Energies and forces of frames that are evaluated alone."""
    predictions = []
    for index in range(len(frames)):
        system = frames_to_system(frames.frame(index))
        predictions.append(potential(system, [neighbour_list(system, c) for c in potential.requests()]))
    return torch.cat([p.energy for p in predictions]).numpy(), torch.cat([p.forces for p in predictions]).numpy()


@pytest.mark.parametrize("batch_size", [1, 5, 50])
def test_metrics_in_their_units_whatever_the_batch(frames, potential, batch_size):
    energy, forces = one_by_one(potential.eval(), frames)
    result = evaluate(potential, frames, batch_size)
    np.testing.assert_allclose(result.energy, energy, rtol=1e-12)
    np.testing.assert_allclose(result.forces, forces, rtol=1e-9, atol=1e-12)
    error = 1000 * (energy - frames.energy)
    force_error = 1000 * (forces - frames.forces)
    assert result.metrics == pytest.approx(
        {
            "frames": 12,
            "energy_mae_meV": np.abs(error).mean(),
            "energy_rmse_meV": np.sqrt((error**2).mean()),
            "energy_mae_meV_per_atom": np.abs(error / frames.n_atoms).mean(),
            "force_mae_meV_per_A": np.abs(force_error).mean(),
            "force_rmse_meV_per_A": np.sqrt((force_error**2).mean()),
        },
        rel=1e-10,
    )


def test_validation_loss_is_the_mean_over_the_set(frames, potential):
    store = FrameStore(frames, potential.requests(), dtype=torch.float64)
    loss, errors = Validator(store, 5, EnergyForceLoss(0.2, 0.8), SingleProcess())(potential.train())
    energy, forces = one_by_one(potential.eval(), frames)
    squared = np.array([(part**2).mean() for part in np.split(forces - frames.forces, frames.offsets[1:-1])])
    assert loss == pytest.approx(np.mean(0.2 * (energy - frames.energy) ** 2 + 0.8 * squared), rel=1e-10)
    assert errors["energy_mae_meV"] == pytest.approx(1000 * np.abs(energy - frames.energy).mean(), rel=1e-10)


def test_validation_puts_the_mode_back(frames, potential):
    store = FrameStore(frames, potential.requests(), dtype=torch.float64)
    Validator(store, 5, EnergyForceLoss(1.0, 1.0), SingleProcess())(potential.train())
    assert potential.training


def test_unknown_elements_are_refused(potential):
    frames = make_frames()
    numbers = np.where(frames.numbers == 1, 9, 8)
    other = type(frames)(**{**{n: getattr(frames, n) for n in frames.__dataclass_fields__}, "numbers": numbers})
    with pytest.raises(DataError, match=r"\[9\]"):
        evaluate(potential, other)


def test_plots_are_png_files(frames, potential, tmp_path):
    plot_parity(frames, evaluate(potential, frames), tmp_path / "parity.png")
    record = {"step": 1, "split": "train", "force_mae_meV_per_A": 3.0, "energy_mae_meV": None}
    plot_learning_curve([record, {**record, "step": 2}], tmp_path / "curve.png")
    for name in ("parity.png", "curve.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
