"""Fixtures of the forecasting tests."""

import pytest

from tests.forecasting.builders import make_data


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("charged"))
