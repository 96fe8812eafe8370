"""The command line: its manual, its exit codes, and each command once on small models."""

import csv
import json
import resource
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.cli import main
from sakeff.config import build_potential
from sakeff.drivers.deviation import MAX_DEVIATION
from sakeff.export.torchscript import load_program
from tests.small_models import REPRESENTATIONS, small_model
from tests.training.builders import make_frames

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(small_model(tmp_path_factory.mktemp("cli") / "model"))


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + str(result.exception)
    return result


def shell(*arguments, code="import sys; from sakeff.cli import main; main(prog_name='sakeff')"):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def processor_time():
    """Seconds that finished children have used; wall time would measure what else the machine does."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_help_reads_like_a_manual_and_is_quick():
    before = processor_time()
    done = shell("--help")
    assert processor_time() - before < 2.0
    assert done.returncode == 0
    for word in ("DESCRIPTION", "EXAMPLES", "FILES", "EXIT CODES", *main.commands):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_the_command_line_imports_nothing_heavy():
    heavy = "{'torch', 'ase', 'numpy', 'openmm', 'matplotlib'} & set(sys.modules)"
    done = shell(code=f"import sys; import sakeff.cli; print({heavy} or 'light')")
    assert done.stdout.strip() == "light"


@pytest.mark.parametrize("command", main.commands)
def test_every_command_explains_itself(command):
    text = run(command, "--help").output
    assert len(text.splitlines()) > 5
    assert main.commands[command].short_help or main.commands[command].help


def test_an_error_is_one_sentence_with_exit_code_2_and_debug_shows_the_rest(tmp_path):
    done = shell("relax", "riboflavin", "--model", "nothing", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: No model 'nothing': give ")
    assert len(done.stderr.splitlines()) == 1
    done = shell("--debug", "relax", "riboflavin", "--model", "nothing")
    assert "Traceback" in done.stderr
    assert not (tmp_path / "out").exists()


def test_relax(model, tmp_path):
    common = ["relax", "ethanol", "--model", model, "--out", tmp_path / "out", "--quiet"]
    result = run(*common, "--reference", "ethanol_gfn2")
    assert "converged  yes" in result.output
    assert "RMSD" in result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"relaxed.xyz", "trajectory.xyz", "energy.png"}
    assert "exists already" in run(*common, code=2).stderr
    run(*common, "--overwrite")


def test_relax_without_enough_steps_has_its_own_exit_code(model, tmp_path):
    out = tmp_path / "out"
    result = run("relax", "ethanol", "--model", model, "--fmax", 1e-9, "--steps", 2, "--out", out, "--quiet", code=3)
    assert "converged  no, 2 steps were not enough" in result.output
    assert (out / "relaxed.xyz").is_file()


@pytest.mark.parametrize(
    ("engine", "extra"), [("ase", ()), ("openmm", ("--platform", "Reference", "--backend", "python"))]
)
def test_md_and_its_resumption(model, tmp_path, engine, extra):
    common = ["md", "ethanol", "--model", model, "--engine", engine, "--temperature", 5, "--log-every", 2]
    common += ["--frame-every", 2, "--checkpoint-every", 4, "--format", "xyz", "--quiet", "--dtype", "float64", *extra]
    result = run(*common, "--ps", 0.004, "--out", tmp_path, "--relax-first", "--equilibrate", 0.002)
    assert "ns/day" in result.output
    run(*common, "--ps", 0.008, "--out", tmp_path, "--resume")
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [float(row["step"]) for row in rows] == list(range(0, 17, 2))
    assert len(ase.io.read(tmp_path / "trajectory.xyz", ":")) == 9


@pytest.fixture(scope="module")
def committee(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("committee")
    config, provenance = load_checkpoint(model).config, load_checkpoint(model).provenance
    save_checkpoint(folder / "second", build_potential(config, seed=8), config, provenance)
    return ["--model", model, "--model", folder / "second"]


def test_a_committee_warns_once_in_each_command(committee, tmp_path):
    common = ["ethanol", *map(str, committee), "--max-deviation", "1e-9", "--quiet"]
    commands = {
        "relax": ["--steps", 2, "--fmax", 1e-9],
        "md": ["--engine", "ase", "--ps", 0.002, "--format", "xyz", "--log-every", 1, "--frame-every", 1],
    }
    for command, options in commands.items():
        done = shell(command, *common, *options, "--out", tmp_path / command)
        assert done.returncode == (3 if command == "relax" else 0)
        assert done.stderr.startswith("The models disagree about the force on ")
        assert len(done.stderr.splitlines()) == 1


def test_openmm_refuses_a_committee_before_it_relaxes(committee, tmp_path):
    text = run("md", "ethanol", *committee, "--relax-first", "--out", tmp_path / "out", "--quiet", code=2).stderr
    assert "run a committee with the engine 'ase' (--engine ase)" in text
    assert not (tmp_path / "out").exists()


def test_export_info_and_models(model, tmp_path):
    path = tmp_path / "program.pt"
    assert "float64" in run("export", model, "--out", path, "--dtype", "float64", "--skin", 0.7).output
    assert load_program(path).header.skin == 0.7
    card = run("info", path).output
    assert "sakeff-program-1" in card
    assert "exists already" in run("export", model, "--out", path, code=2).stderr
    assert "exported already" in run("export", path, "--out", tmp_path / "again.pt", code=2).stderr
    card = run("info", model).output
    expected = ("so3krates", "H C N O", "random numbers", "force_mae_meV_per_A", "12.5", "float32", "weights.safe")
    assert all(text in card for text in expected)
    assert run("models").output.startswith("model")


@pytest.fixture
def data(tmp_path):
    make_frames().save(tmp_path / "frames.npz")
    return tmp_path / "frames.npz"


def test_train_and_evaluate(data, tmp_path):
    recipe = {
        "data": {"path": str(data), "train": 8, "validation": 2},
        "potential": {"representation": REPRESENTATIONS["so3krates"]},
        "steps": 4,
        "batch_size": 4,
        "schedule": {"warmup_steps": 1},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    out = tmp_path / "run"
    assert str(out / "model") in run("train", tmp_path / "recipe.yaml", "--out", out, "--quiet").output
    assert load_checkpoint(out / "model").config.elements == [1, 8]
    files = ["--out", tmp_path / "metrics.json", "--plot", tmp_path / "parity.png"]
    text = run("evaluate", out / "model", data, *files).output
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["frames"] == 12
    assert all(name in text for name in metrics)
    assert np.isfinite(metrics["force_mae_meV_per_A"])
    assert (tmp_path / "parity.png").stat().st_size > 1000
    assert "exists already" in run("evaluate", out / "model", data, *files, code=2).stderr
    assert "KEY=VALUE" in run("evaluate", out / "model", data, "--option", "labels", code=2).stderr


def test_data_from_a_local_folder(tmp_path):
    result = run("data", "ethanol", "--out", tmp_path, "--source", tmp_path / "mirror", "--quiet", code=2)
    assert "give a local folder" in result.stderr
    assert "MD17 has no caffeine" in run("data", "caffeine", "--out", tmp_path, "--quiet", code=2).stderr


def test_the_default_threshold_is_that_of_the_drivers():
    """Typed again in the command line, which imports nothing heavy before it knows its arguments."""
    (option,) = (one for one in main.get_command(None, "md").params if one.name == "max_deviation")
    assert option.default == MAX_DEVIATION


def test_a_device_that_is_not_there_is_one_sentence(model, tmp_path):
    make_frames().save(tmp_path / "data.npz")
    result = CliRunner().invoke(main, ["evaluate", model, str(tmp_path / "data.npz"), "--device", "nonsense"])
    assert result.exit_code != 0
    assert "Device 'nonsense' is not available" in result.output + result.stderr


@pytest.mark.parametrize("option", [["--platform", "CPU"], ["--precision", "double"], ["--cuda-graphs"]])
def test_md_refuses_what_its_engine_would_ignore(model, tmp_path, option):
    line = ["md", "ethanol", "--engine", "ase", "--model", model, "--out", str(tmp_path / "run"), *option]
    result = CliRunner().invoke(main, line)
    assert result.exit_code != 0
    assert f"takes no {option[0]}" in result.output + result.stderr
    assert not (tmp_path / "run").exists()
