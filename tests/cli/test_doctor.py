import pytest
from click.testing import CliRunner

from sakeff.cli import doctor, main
from sakeff.cli.doctor import examine, last_line
from sakeff.cli.probes import PROBES, Probe


def probe(name):
    return next(one for one in PROBES if one.name == name)


@pytest.mark.parametrize("name", ["torch", "ASE", "vesin", "TorchForce (Reference)", "TorchForce (CPU)", "PythonForce"])
def test_paths_that_work_here_are_found_to_work(name):
    finding = examine(probe(name))
    assert finding.works, finding.detail
    assert any(character.isdigit() for character in finding.detail)  # a version


def test_a_path_that_fails_says_why_and_what_to_do():
    finding = examine(Probe("nothing", "import not_a_library", "pip install it"))
    assert not finding.works
    assert finding.detail == "ModuleNotFoundError: No module named 'not_a_library' -> pip install it"


def test_a_crash_is_survived():
    finding = examine(Probe("crash", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "mend"))
    assert finding.detail == "ended with code -11 -> mend"


def test_the_report_and_its_exit_code(monkeypatch):
    here, gone = Probe("here", "print('1.0')", "x", required=True), Probe("gone", "1 / 0", "pip install gone")
    module = __import__("sys").modules[doctor.callback.__module__]
    monkeypatch.setattr(module, "PROBES", [here, gone])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "here works 1.0" in lines
    assert "gone no ZeroDivisionError: division by zero -> pip install gone" in lines
    monkeypatch.setattr(module, "PROBES", [gone._replace(required=True)])
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 2
    assert "MISSING" in result.stdout


def test_last_line():
    assert last_line("a\n b \n\n") == "b"
    assert last_line("") == ""
