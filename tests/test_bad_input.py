"""Mistakes of users: each gets the right exception with one clear sentence, and no file is touched.

A case is a function that makes the mistake ready in a folder and returns what the user does then.
"""

import hashlib
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
import yaml
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from sakeff import SAKECalculator, load_potential, openmm_force
from sakeff.checkpoint import load_checkpoint, save_checkpoint
from sakeff.config import build_potential, parse_potential_config
from sakeff.data.frames import load
from sakeff.data.read import read_frames
from sakeff.drivers import MdSettings, RelaxOutputs, outputs_in, relax, run_md
from sakeff.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    EngineUnavailableError,
    OutputError,
    OutputExistsError,
    SakeffError,
    StructureError,
    TrainingError,
)
from sakeff.export.torchscript import HEADER_FILE, export_program, load_program
from sakeff.structures import load_structure, read_structure
from sakeff.training.config import load_train_config, parse_train_config
from sakeff.training.run import train
from tests.small_models import REPRESENTATIONS, small_model

ROOT = Path(__file__).resolve().parents[1]
CASES = []


def case(error, cause, mend):
    """Register a case: the exact exception, and what its sentence must say about cause and mend."""

    def register(function):
        CASES.append(pytest.param(function, error, cause, mend, id=function.__name__))
        return function

    return register


def contents(folder):
    """Every file below a folder, by its hash."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def is_one_sentence(text):
    return "\n" not in text and text.endswith(".") and not re.search(r"[.!?]\s+[A-Z]", text) and len(text) < 600


# ---------------------------------------------------------------- checkpoints


def edited(folder, change):
    """A checkpoint whose config.json went through ``change``."""
    path = small_model(folder / "model") / "config.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return folder / "model"


@case(CheckpointError, "config.json is damaged", "restore it")
def corrupt_checkpoint(folder):
    model = small_model(folder / "model")
    (model / "config.json").write_bytes(bytes(range(200, 256)))
    return lambda: SAKECalculator(model)


@case(CheckpointError, "config.json is damaged", "restore it")
def truncated_config(folder):
    path = small_model(folder / "model") / "config.json"
    path.write_text(path.read_text()[:100])
    return lambda: load_checkpoint(path.parent)


@case(CheckpointError, "has format 'sakeff-checkpoint-99'", "use the other version")
def checkpoint_of_another_version(folder):
    model = edited(folder, lambda document: document.update(format="sakeff-checkpoint-99"))
    return lambda: load_checkpoint(model)


@case(CheckpointError, "gives units 'kcal/mol'", "convert the model")
def checkpoint_in_other_units(folder):
    model = edited(folder, lambda document: document["provenance"].update(units="kcal/mol"))
    return lambda: load_checkpoint(model)


@case(CheckpointError, "lacks ", "restore it")
def checkpoint_without_provenance(folder):
    model = edited(folder, lambda document: document.pop("provenance"))
    return lambda: load_checkpoint(model)


@case(CheckpointError, "weights.safetensors cannot be read", "restore it")
def config_without_weights(folder):
    model = small_model(folder / "model")
    (model / "weights.safetensors").unlink()
    return lambda: load_checkpoint(model)


@case(CheckpointError, "weights.safetensors is damaged", "restore it")
def truncated_weights(folder):
    path = small_model(folder / "model") / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    return lambda: load_checkpoint(path.parent)


@case(CheckpointError, "belongs to another config.json", "restore it")
def weights_of_another_model(folder):
    one, other = small_model(folder / "one"), small_model(folder / "other", "sake")
    shutil.copy(other / "weights.safetensors", one / "weights.safetensors")
    return lambda: load_checkpoint(one)


@case(CheckpointError, "do not fit its configuration", "restore both")
def config_changed_by_hand(folder):
    model = edited(folder, lambda document: document["potential"]["representation"].update(width=24))
    return lambda: load_checkpoint(model)


@case(CheckpointError, "No model 'so3crates'", "give a checkpoint folder")
def unknown_model_name(folder):
    return lambda: SAKECalculator("so3crates")


@case(CheckpointError, "No model ", "give a checkpoint folder")
def empty_model_folder(folder):
    return lambda: SAKECalculator(folder)


# ---------------------------------------------------------------- exported files


def exported(folder):
    """A good exported file."""
    checkpoint = load_checkpoint(small_model(folder / "model"))
    export_program(checkpoint.potential, folder / "program.pt", checkpoint.provenance)
    return folder / "program.pt"


@case(CheckpointError, "not a program exported by sakeff", "export_program")
def torchscript_without_header(folder):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(folder / "other.pt"))
    return lambda: SAKECalculator(folder / "other.pt")


@case(CheckpointError, "cannot be read as an exported program", "export the model again")
def truncated_program(folder):
    path = exported(folder)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return lambda: load_program(path)


@case(CheckpointError, "cannot be read as an exported program", "export the model again")
def program_that_is_text(folder):
    (folder / "program.pt").write_text("This is not TorchScript.")
    return lambda: SAKECalculator(folder / "program.pt")


@case(CheckpointError, "has format 'sakeff-program-0'", "export the model again")
def program_of_another_version(folder):
    path, changed = exported(folder), folder / "old.pt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith(HEADER_FILE):
                content = content.replace(b"sakeff-program-1", b"sakeff-program-0")
            target.writestr(name, content)
    return lambda: load_program(changed)


@case(CheckpointError, "without trainable weights", "give its checkpoint folder")
def exported_file_as_a_checkpoint(folder):
    path = exported(folder)
    return lambda: load_potential(path)


@case(ConfigError, "was exported in float32", "leave dtype out")
def exported_file_in_another_precision(folder):
    path = exported(folder)
    return lambda: SAKECalculator(path, dtype="float64")


# ---------------------------------------------------------------- configurations


def building(elements=(1, 6), **representation):
    document = {"elements": list(elements), "representation": representation}
    return lambda: build_potential(parse_potential_config(document))


@case(ConfigError, "not valid at 'colour'", "not permitted")
def unknown_key_of_a_configuration(folder):
    return lambda: parse_potential_config({"elements": [1], "representation": {"name": "sake"}, "colour": "red"})


@case(ConfigError, "Unknown representation 'schnet'", "choose one of")
def unknown_representation(folder):
    return building(name="schnet")


@case(ConfigError, "unexpected keyword argument 'widht'", "representation 'sake'")
def misspelt_hyperparameter(folder):
    return building(name="sake", widht=32)


@case(ConfigError, "cutoff must be a positive number, not -5.0", "positive")
def negative_cutoff(folder):
    return building(name="so3krates", cutoff=-5.0)


@case(ConfigError, "width must be a positive number, not 'wide'", "positive")
def width_in_words(folder):
    return building(name="so3krates", width="wide")


@case(ConfigError, "not valid at 'elements'", "distinct atomic numbers")
def element_twice(folder):
    return building(elements=(1, 1), name="sake")


@case(ConfigError, "width 10 is not a multiple of 4", "attention heads")
def width_that_heads_do_not_divide(folder):
    return building(name="so3krates", width=10, heads=4)


@case(ConfigError, "envelope exponent is 1", "use 3 or more")
def envelope_that_is_not_smooth(folder):
    return building(name="sake", envelope_exponent=1)


# ---------------------------------------------------------------- structures


def evaluating(folder, atoms, **hyperparameters):
    atoms.calc = SAKECalculator(small_model(folder / "model", **hyperparameters))
    return atoms.get_potential_energy


@case(StructureError, r"atomic numbers \[26\]", "use a model trained for them")
def unknown_element(folder):
    return evaluating(folder, Atoms("FeO", [[0, 0, 0], [1.6, 0, 0]]))


@case(StructureError, "not finite", "last good frame")
def position_that_is_nan(folder):
    return evaluating(folder, Atoms("CO", [[0, 0, 0], [1.1, 0, np.nan]]))


@case(StructureError, "no atoms", "give at least one")
def no_atoms(folder):
    return evaluating(folder, Atoms())


@case(StructureError, "Two atoms overlap", "check the units")
def overlapping_atoms(folder):
    return evaluating(folder, Atoms("CO", [[0, 0, 0], [0.11, 0, 0]]))


@case(StructureError, "cell has no volume", "set pbc to False")
def periodic_without_a_cell(folder):
    return evaluating(folder, Atoms("CO", [[0, 0, 0], [1.1, 0, 0]], pbc=True))


@case(StructureError, "not trained for a total charge of 2", "change the charge or the model")
def charge_that_was_not_trained(folder):
    return evaluating(folder, Atoms("CO", [[0, 0, 0], [1.1, 0, 0]], info={"charge": 2}))


@case(StructureError, "not trained for 1.0 unpaired electrons", "change the spin or the model")
def spin_that_was_not_trained(folder):
    return evaluating(folder, Atoms("OH", [[0, 0, 0], [1.0, 0, 0]], info={"spin": 1}))


@case(StructureError, "only in open structures", "set pbc to False")
def periodic_with_a_model_of_all_pairs(folder):
    crystal = Atoms("CO", [[0, 0, 0], [1.1, 0, 0]], cell=[9, 9, 9], pbc=True)
    return evaluating(folder, crystal, nonlocal_kappa=1.0)


@case(StructureError, "only in open structures", "periodic=False or a local model")
def periodic_topology_with_a_model_of_all_pairs(folder):
    model = small_model(folder / "model", nonlocal_kappa=1.0)
    return lambda: openmm_force(model, [6, 8], periodic=True)


@case(StructureError, r"atomic numbers \[26\]", "use a model trained for them")
def unknown_element_in_openmm(folder):
    model = small_model(folder / "model")
    return lambda: openmm_force(model, [26, 8])


@case(StructureError, "No structure ", "give a file that ASE reads")
def structure_that_is_not_there(folder):
    return lambda: read_structure(folder / "riboflavine.xyz")


@case(StructureError, "is no readable structure", "check its format")
def structure_that_is_garbage(folder):
    (folder / "bad.xyz").write_text("3\n\nC 0 0 0\nO 1.1 zero 0\n")
    return lambda: read_structure(folder / "bad.xyz")


@case(StructureError, "not finite", "mend the file")
def structure_with_nan(folder):
    (folder / "bad.xyz").write_text("1\n\nC 0 0 nan\n")
    return lambda: read_structure(folder / "bad.xyz")


@case(StructureError, "The reference has other atoms", "give one with the structure's atoms")
def reference_of_another_molecule(folder):
    model = small_model(folder / "model")
    return lambda: relax(load_structure("ethanol"), model, reference=load_structure("alanine"))


@case(ConfigError, "Unknown ensemble 'npt'", "choose one of")
def unknown_ensemble(folder):
    return lambda: MdSettings(steps=1, ensemble="npt")


# ---------------------------------------------------------------- data


def labelled(energy=True, stretch=0.0, **info):
    """Carbon monoxide on a spring."""
    atoms = Atoms("CO", [[0, 0, 0], [1.1 + stretch, 0, 0]], info=info)
    results = {"energy": 20.0 * stretch**2} if energy else {}
    forces = 40.0 * stretch * np.array([[1.0, 0, 0], [-1.0, 0, 0]])
    atoms.calc = SinglePointCalculator(atoms, forces=forces, **results)
    return atoms


def reading(folder, structures, **options):
    path = folder / "data.xyz"
    ase.io.write(path, structures, format="extxyz")
    return lambda: read_frames(path, **options)


@case(DataError, "has no energy", "name the key or remove")
def extxyz_without_energies(folder):
    return reading(folder, [labelled(), labelled(energy=False)])


@case(DataError, "has no forces under 'mp2_forces'", "name the key or remove")
def extxyz_without_the_forces_asked_for(folder):
    return reading(folder, [labelled()], force_key="mp2_forces")


@case(DataError, "has units 'kcal/mol'", "convert it first")
def extxyz_in_other_units(folder):
    return reading(folder, [labelled(units="kcal/mol")])


@case(DataError, "has units 'hartree'", "convert it first")
def units_flag_that_is_not_supported(folder):
    return reading(folder, [labelled()], units="hartree")


@case(DataError, "mixes levels of theory", "split it")
def levels_of_theory_mixed(folder):
    return reading(folder, [labelled(level_of_theory="MP2"), labelled(level_of_theory="HF")])


@case(DataError, "cannot be read as extended XYZ", "check that it is complete")
def extxyz_cut_short(folder):
    act = reading(folder, [labelled()])
    path = folder / "data.xyz"
    path.write_text(path.read_text()[:-60])
    return act


@case(ConfigError, "option does not apply", "unexpected keyword argument 'energie_key'")
def misspelt_option_of_a_reader(folder):
    return reading(folder, [labelled()], energie_key="energy")


@case(DataError, "does not exist", "check the path")
def data_that_is_not_there(folder):
    return lambda: read_frames(folder / "data.xyz")


@case(DataError, "has a suffix that no reader knows", "use one of")
def data_of_an_unknown_kind(folder):
    (folder / "data.hdf5").write_bytes(b"HDF")
    return lambda: read_frames(folder / "data.hdf5")


@case(DataError, "is no readable npz file", "make it again")
def npz_with_pickled_objects(folder):
    np.savez(folder / "data.npz", positions=np.array([{"run": "code"}], dtype=object))
    return lambda: load(folder / "data.npz")


@case(DataError, "is no readable npz file", "make it again")
def npz_cut_short(folder):
    path = folder / "data.npz"
    read_frames(write_extxyz(folder)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    return lambda: load(path)


@case(DataError, r"forces has shape \(1, 3\) where \(2, 3\)", "is needed")
def npz_with_wrong_shapes(folder):
    path = folder / "data.npz"
    read_frames(write_extxyz(folder)).save(path)
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "forces": arrays["forces"][:1]})
    return lambda: load(path)


@case(DataError, "has units 'Hartree, bohr'", "convert it first")
def npz_in_other_units(folder):
    path = folder / "data.npz"
    read_frames(write_extxyz(folder)).save(path)
    np.savez(path, **{**dict(np.load(path)), "units": "Hartree, bohr"})
    return lambda: load(path)


def write_extxyz(folder, count=1):
    path = folder / "source.xyz"
    ase.io.write(path, [labelled(stretch=0.02 * (k - 5)) for k in range(count)], format="extxyz")
    return path


# ---------------------------------------------------------------- outputs


@case(OutputExistsError, "exists already", "choose another name or ask for overwriting")
def checkpoint_that_is_there_already(folder):
    model = load_checkpoint(small_model(folder / "model"))
    return lambda: save_checkpoint(folder / "model", model.potential, model.config, model.provenance)


@case(OutputExistsError, "exists already", "choose another name or ask for overwriting")
def exported_file_that_is_there_already(folder):
    model = load_checkpoint(small_model(folder / "model"))
    (folder / "program.pt").write_text("precious")
    return lambda: export_program(model.potential, folder / "program.pt", model.provenance)


@case(OutputExistsError, "exists already", "choose another name or ask for overwriting")
def simulation_into_a_used_folder(folder):
    model = small_model(folder / "model")
    (folder / "run").mkdir()
    (folder / "run" / "log.csv").write_text("precious")
    return lambda: run_md(load_structure("ethanol"), model, MdSettings(steps=1), outputs=outputs_in(folder / "run"))


@case(OutputError, "cannot be written", "choose a folder you can write to")
def output_below_a_file(folder):
    model = load_checkpoint(small_model(folder / "model"))
    (folder / "notes").write_text("precious")
    return lambda: save_checkpoint(folder / "notes" / "new", model.potential, model.config, model.provenance)


@case(OutputError, "cannot be written", "choose another folder")
def trajectory_below_a_file(folder):
    model = small_model(folder / "model")
    (folder / "notes").write_text("precious")
    files = RelaxOutputs(trajectory=folder / "notes" / "trajectory.xyz")
    return lambda: relax(load_structure("ethanol"), model, steps=1, outputs=files)


@contextmanager
def small_disk(size=2000):
    """No file may grow beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@case(OutputError, "could not be written", "free some space")
def checkpoint_on_a_full_disk(folder):
    model = load_checkpoint(small_model(folder / "model"))

    def act():
        with small_disk():
            save_checkpoint(folder / "model", model.potential, model.config, model.provenance, overwrite=True)

    return act


@case(OutputError, "could not be written", "free some space")
def exported_file_on_a_full_disk(folder):
    model = load_checkpoint(small_model(folder / "model"))
    (folder / "program.pt").write_text("precious")

    def act():
        with small_disk():
            export_program(model.potential, folder / "program.pt", model.provenance, overwrite=True)

    return act


# ---------------------------------------------------------------- training


def recipe(folder, **changes):
    """A training recipe on a small file, as a document."""
    path = write_extxyz(folder, 12)
    document = {
        "data": {"path": str(path), "train": 8, "validation": 2},
        "potential": {"representation": REPRESENTATIONS["so3krates"]},
        "batch_size": 4,
        "steps": 4,
        "schedule": {"warmup_steps": 1},
        "validate_every": 2,
        "log_every": 1,
    }
    return {**document, **changes}


def training(document, out, **options):
    return train(parse_train_config(document), out, show_progress=False, **options)


@case(ConfigError, "training configuration is not valid at 'learning_rate'", "not permitted")
def unknown_key_of_a_recipe(folder):
    document = recipe(folder, learning_rate=0.1)
    return lambda: training(document, folder / "run")


@case(ConfigError, "cannot be read as YAML or JSON", "YAML or JSON")
def recipe_that_is_not_yaml(folder):
    (folder / "recipe.yaml").write_text("data: [unclosed")
    return lambda: load_train_config(folder / "recipe.yaml")


@case(DataError, "do not fit into", "ask for less")
def split_larger_than_the_data(folder):
    document = recipe(folder)
    document["data"]["train"] = 100
    return lambda: training(document, folder / "run")


@case(TrainingError, "nothing to resume", "start without --resume")
def resume_of_nothing(folder):
    document = recipe(folder)
    return lambda: training(document, folder / "run", resume=True)


@case(TrainingError, "differs in batch_size", "resume with the configuration")
def resume_with_a_changed_recipe(folder):
    document = recipe(folder)
    training(document, folder / "run")
    return lambda: training({**document, "batch_size": 2}, folder / "run", resume=True)


@case(TrainingError, "is damaged", "start again")
def resume_of_a_damaged_state(folder):
    document = recipe(folder)
    training(document, folder / "run")
    (folder / "run" / "state.safetensors").write_bytes(b"not tensors")
    return lambda: training(document, folder / "run", resume=True)


@case(OutputExistsError, "exists already", "continue with --resume or choose another folder")
def training_into_a_used_folder(folder):
    document = recipe(folder)
    training(document, folder / "run")
    return lambda: training(document, folder / "run")


# ---------------------------------------------------------------- the tests


@pytest.mark.parametrize(("make", "error", "cause", "mend"), CASES)
def test_one_clear_sentence_and_nothing_lost(make, error, cause, mend, tmp_path):
    act = make(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(SakeffError) as caught:
        act()
    text = str(caught.value)
    assert type(caught.value) is error
    assert is_one_sentence(text), text
    assert re.search(cause, text), text
    assert re.search(mend, text), text
    assert contents(tmp_path) == before


def test_there_are_enough_cases():
    assert len(CASES) >= 25


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_a_single_atom_is_no_mistake(name, tmp_path):
    atom = Atoms("C", [[0.3, -0.2, 0.1]], calculator=SAKECalculator(small_model(tmp_path / "model", name)))
    assert np.isfinite(atom.get_potential_energy())
    assert not atom.get_forces().any()


def test_without_openmmtorch_the_sentence_names_versions_and_the_other_backend(tmp_path, monkeypatch):
    model = small_model(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "openmmtorch", None)
    with pytest.raises(EngineUnavailableError) as caught:
        openmm_force(model, [6, 8], backend="torch")
    assert re.search(r"openmmtorch==1\.5.*torch==2\.9\.1.*backend='python'", str(caught.value))
    assert is_one_sentence(str(caught.value))
    assert type(openmm_force(model, [6, 8])).__name__ == "PythonForce"


def test_a_killed_training_resumes_and_ends_as_if_nothing_had_happened(tmp_path):
    document = recipe(tmp_path, steps=400, checkpoint_minutes=0.0, dtype="float64", log_every=50)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "sakeff.cli", "train", str(tmp_path / "recipe.yaml"), "--quiet", "--out"]
    state = tmp_path / "killed" / "state.safetensors"
    process = subprocess.Popen([*command, str(tmp_path / "killed")], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run([*command, str(tmp_path / "killed"), "--resume"], cwd=ROOT, check=True)
    subprocess.run([*command, str(tmp_path / "whole")], cwd=ROOT, check=True)
    one, two = (load_checkpoint(tmp_path / name / "model").potential.state_dict() for name in ("killed", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in two)
