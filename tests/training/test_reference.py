from dataclasses import replace

import numpy as np
import pytest

from sakeff.errors import DataError
from sakeff.training.reference import composition, fit_energies, force_scale, set_reference, shift_energies
from tests.training.builders import make_frames


def test_energies_of_elements_are_found(frames):
    truth = np.zeros(119)
    truth[[1, 8]] = -13.6, -2040.0
    fitted = fit_energies(frames, composition(frames) @ truth)
    np.testing.assert_allclose(fitted, truth, rtol=1e-6)


def test_one_composition_gives_the_mean(frames):
    water = frames.select(frames.groups == "HOH")
    fitted = fit_energies(water, water.energy - 4000.0)
    np.testing.assert_allclose(composition(water) @ fitted, np.mean(water.energy) - 4000.0, rtol=1e-8)
    assert set(np.flatnonzero(fitted)) == {1, 8}


def test_frames_without_a_label_do_not_count(frames):
    targets = composition(frames).sum(1) * -2.0
    targets[3] = np.nan
    np.testing.assert_allclose(fit_energies(frames, targets)[[1, 8]], -2.0, rtol=1e-6)
    assert not fit_energies(frames, np.full(len(frames), np.nan)).any()


def test_scale_is_the_rms_force_component(frames):
    assert force_scale(frames) == pytest.approx(np.sqrt(np.mean(frames.forces**2)))
    with pytest.raises(DataError, match="zero"):
        force_scale(replace(frames, forces=0.0 * frames.forces))


def test_integration_constant_is_the_mean_of_truth_minus_prediction(potential):
    water = make_frames().select(slice(1, 3))
    set_reference(potential, np.zeros(119), 1.0)
    predicted = np.array([1.0, 2.0])
    shift_energies(potential, water, predicted)
    shift = composition(water) @ potential.reference.energies.numpy()
    np.testing.assert_allclose(shift, np.mean(water.energy - predicted), rtol=1e-8)
