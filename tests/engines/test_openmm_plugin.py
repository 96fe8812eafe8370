import importlib
import logging

import pytest

from sakeff.engines import openmm_plugin
from sakeff.engines.openmm import openmm_force
from sakeff.errors import ConfigError, EngineUnavailableError
from tests.engines.morse import morse_potential
from tests.engines.runners import skip_without_openmmtorch


@pytest.fixture
def broken_plugin(monkeypatch):
    """openmmtorch fails as it does beside a CPU-only torch."""

    def import_module(name):
        if name == "openmmtorch":
            raise ImportError("libnvrtc.so.12: cannot open shared object file")
        return importlib.__import__(name)

    monkeypatch.setattr(openmm_plugin, "import_module", import_module)


def test_the_error_says_what_to_install_and_what_works(broken_plugin):
    with pytest.raises(EngineUnavailableError) as caught:
        openmm_force(morse_potential(), [6, 8], backend="torch")
    for said in ("torch==2.9.1", "openmmtorch==1.5", "openmm>=8.6.1", "backend='python'", "libnvrtc"):
        assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_auto_falls_back_to_python(broken_plugin):
    assert type(openmm_force(morse_potential(), [6, 8])).__name__ == "PythonForce"


def test_auto_prefers_torch():
    skip_without_openmmtorch()
    assert type(openmm_force(morse_potential(), [6, 8])).__name__ == "TorchForce"


def test_unknown_backend():
    with pytest.raises(ConfigError, match="jax"):
        openmm_force(morse_potential(), [6, 8], backend="jax")


def test_missing_openmm(monkeypatch):
    def import_module(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(openmm_plugin, "import_module", import_module)
    with pytest.raises(EngineUnavailableError, match=r"openmm>=8\.6\.1"):
        openmm_plugin.load_openmm()


@pytest.mark.parametrize("found", ["8.5.0", "8.6.0", "8.6.0.dev-1"])
def test_old_openmm(monkeypatch, found):
    monkeypatch.setattr("openmm.__version__", found)
    with pytest.raises(EngineUnavailableError, match="too old"):
        openmm_plugin.load_openmm()


@pytest.mark.parametrize("found", ["8.6.1", "8.6.1.post1", "8.7", "9.0.0"])
def test_new_openmm(monkeypatch, found):
    monkeypatch.setattr("openmm.__version__", found)
    assert openmm_plugin.load_openmm().__version__ == found


def test_logging_is_left_as_it_was():
    skip_without_openmmtorch()
    assert openmm_plugin._is_news not in logging.getLogger().filters
