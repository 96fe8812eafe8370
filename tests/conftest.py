"""Options of the whole suite."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers for every test, whatever ran before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def pytest_addoption(parser):
    parser.addoption("--run-slow", action="store_true", help="run physics that takes minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "contract(name): a contract that an architecture may declare not to apply")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--run-slow"):
        return
    skip = pytest.mark.skip(reason="takes minutes; run with --run-slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)
