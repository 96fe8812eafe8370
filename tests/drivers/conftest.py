import pytest

from tests.small_models import small_model


@pytest.fixture(scope="package", params=["so3krates", "sake"])
def model(request, tmp_path_factory):
    """The folder of a small checkpoint, for both representations."""
    return small_model(tmp_path_factory.mktemp("models") / request.param, request.param)


@pytest.fixture(scope="package")
def one_model(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("models") / "one")
