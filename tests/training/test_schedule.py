import pytest

from sakeff.training.schedule import constant, cosine, exponential, with_warm_up


def test_cosine_goes_from_one_to_the_final_value():
    assert cosine(0, 100, 0.01) == 1.0
    assert cosine(50, 100, 0.0) == pytest.approx(0.5)
    assert cosine(100, 100, 0.01) == pytest.approx(0.01)
    assert cosine(1000, 100, 0.01) == pytest.approx(0.01)


def test_exponential_halves_and_stops_falling():
    assert exponential(0, 100, 0.0) == 1.0
    assert exponential(300, 100, 0.0) == pytest.approx(0.125)
    assert exponential(10000, 100, 0.02) == 0.02


def test_warm_up_rises_linearly_into_the_schedule():
    schedule = with_warm_up(10, constant)
    assert [schedule(step) for step in (0, 4, 9, 10, 500)] == pytest.approx([0.1, 0.5, 1.0, 1.0, 1.0])
    assert with_warm_up(0, constant)(0) == 1.0
