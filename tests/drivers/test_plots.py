import sys

import pytest

from sakeff.drivers.plots import energy_plot, temperature_plot
from sakeff.errors import EngineUnavailableError, OutputExistsError

PNG = b"\x89PNG\r\n\x1a\n"


def test_plots_are_png_files(tmp_path):
    energy_plot(tmp_path / "e.png", [0, 1], {"potential": [1.0, 2.0], "total": [3.0, 3.0]}, "time / ps", False)
    temperature_plot(tmp_path / "t.png", [0, 1], [300.0, 310.0], False)
    assert all((tmp_path / name).read_bytes().startswith(PNG) for name in ("e.png", "t.png"))


def test_plots_keep_existing_files_and_leave_pyplot_alone(tmp_path):
    (tmp_path / "e.png").write_text("precious")
    with pytest.raises(OutputExistsError):
        energy_plot(tmp_path / "e.png", [0], {"energy": [1.0]}, "step", False)
    assert (tmp_path / "e.png").read_text() == "precious"


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(EngineUnavailableError, match=r"pip install 'sakeff\[train\]'"):
        energy_plot(tmp_path / "e.png", [0], {"energy": [1.0]}, "step", False)
