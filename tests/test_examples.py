"""Each example runs as a user runs it, in an empty folder, with the bundled models."""

import os
import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest

from sakeff.drivers import rmsd, topology_of
from sakeff.structures import load_structure

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


def run(name, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / name)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ase(tmp_path):
    output = run("01_ase.py", tmp_path)
    assert float(re.search(r"largest force (\S+) eV/A", output).group(1)) <= 0.01


def test_ase_is_five_lines():
    text = (ROOT / "examples" / "01_ase.py").read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 6  # three imports, and three that work


def test_the_ase_lines_of_the_readme(tmp_path):
    lines = re.search(r"## ASE\n\n```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    (tmp_path / "lines.py").write_text(lines + "print(atoms.get_forces().max())\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "lines.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert abs(float(done.stdout.splitlines()[-1])) <= 0.01


def test_openmm(tmp_path):
    import mdtraj

    output = run("02_openmm.py", tmp_path)
    topology = mdtraj.Topology.from_openmm(topology_of(load_structure("ethanol_gfn2")))
    trajectory = mdtraj.load(str(tmp_path / "ethanol.dcd"), top=topology)
    assert (trajectory.n_frames, trajectory.n_atoms) == (20, 9)
    bonds = mdtraj.compute_distances(trajectory, [[a.index, b.index] for a, b in topology.bonds])
    assert bonds.max() < 0.2  # nm: the molecule stays together
    assert len(output.splitlines()) == 5


def test_training(tmp_path):
    output = run("03_train_on_extxyz.py", tmp_path)
    assert (tmp_path / "my_run" / "model" / "weights.safetensors").is_file()
    error = float(re.search(r'"force_mae_meV_per_A": (\S+?),', output).group(1))
    frames = ase.io.read(tmp_path / "my_data.xyz", ":")
    size = 1000 * np.mean([abs(atoms.get_forces()).mean() for atoms in frames])
    assert error < 0.5 * size  # it has learned


def test_riboflavin(tmp_path):
    output = run("04_relax_riboflavin.py", tmp_path)
    assert "converged: True" in output
    relaxed = ase.io.read(tmp_path / "riboflavin" / "relaxed.xyz")
    reported = float(re.search(r"minimum: (\S+) A", output).group(1))
    assert reported == pytest.approx(rmsd(relaxed, load_structure("riboflavin_gfn2")), abs=1e-3)
    written = {path.name for path in (tmp_path / "riboflavin").iterdir()}
    assert written == {"relaxed.xyz", "trajectory.xyz", "energy.png"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_has_a_test(name):
    assert f'run("{name}"' in Path(__file__).read_text()
