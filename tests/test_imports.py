"""The shape of the package: imports point towards the beginning, importing is light and changes nothing."""

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sakeff

ROOT = Path(sakeff.__file__).parent


def module_name(path):
    parts = ["sakeff", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def targets(node):
    """Modules of the package that an import statement names."""
    if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("sakeff"):
        return [f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith("sakeff")]
    return []


def imports(path, everywhere):
    """Imports of a module: those at its top level, or also those inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if everywhere else module_level(tree)
    return {target for node in nodes for target in targets(node)}


def module_level(tree):
    """All nodes that run at import: everything but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            yield from module_level(node)


def test_imports_have_no_cycle():
    graph = {name: imports(path, everywhere=False) & set(MODULES) - {name} for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def layer(name):
    return name.split(".")[1] if "." in name else ""


def test_nothing_imports_the_engines_but_the_public_face_and_what_runs_simulations():
    users = {layer(name) for name, path in MODULES.items() if any(layer(t) == "engines" for t in imports(path, True))}
    assert users <= {"", "engines", "drivers", "cli"}


# What each part may know: the sentence of the package, from its beginning to its end.
BEGINNING = {"types", "units", "errors", "io"}
CORE = BEGINNING | {"ops", "nn", "geometry"}
ALLOWED = {
    "types": set(),
    "units": set(),
    "errors": set(),
    "io": {"errors"},
    "electrons": {"errors"},
    "ops": BEGINNING,
    "nn": BEGINNING | {"ops"},
    "geometry": BEGINNING | {"ops"},
    "neighbours": BEGINNING | {"ops"},
    "heads": CORE,
    "representations": CORE,
    "potential": CORE,
    "config": CORE | {"heads", "representations", "potential"},
    "checkpoint": CORE | {"config", "potential"},
    "zoo": CORE | {"checkpoint", "potential"},
    "data": CORE | {"electrons", "neighbours"},
    "fast": CORE | {"representations", "potential"},
    "export": CORE | {"fast", "neighbours", "potential", "config", "checkpoint", "zoo", ""},
}


@pytest.mark.parametrize("part", ALLOWED)
def test_each_part_knows_only_what_comes_before(part):
    found = {layer(t) for name, path in MODULES.items() if layer(name) == part for t in imports(path, True)}
    assert found - {part} <= ALLOWED[part]


def run(code):
    """Last line printed by a fresh interpreter, as JSON."""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def test_importing_the_package_is_light():
    """No heavy library, and far less than two seconds of work beyond torch."""
    code = """
import json, sys, time
import torch
start = time.process_time()
import sakeff
seconds = time.process_time() - start
heavy = ["openmm", "openmmtorch", "ase", "matplotlib", "pydantic", "scipy", "vesin", "lightning", "mdtraj", "rdkit"]
print(json.dumps([seconds, [name for name in heavy if name in sys.modules]]))
"""
    seconds, heavy = run(code)
    assert heavy == []
    assert seconds < 0.5


def test_the_public_face_is_light_too():
    """What ASE users touch first: well below two seconds beyond torch and ase."""
    code = """
import json, time
import torch, ase.calculators.calculator
start = time.process_time()
from sakeff import SAKECalculator, list_models, load_potential
print(json.dumps(time.process_time() - start))
"""
    assert run(code) < 2.0


def test_import_does_not_import_torch_unasked():
    assert run("import json, sys, sakeff; print(json.dumps('torch' in sys.modules))") is False


OPTIONAL = {"openmm", "mdtraj", "matplotlib", "lightning", "rdkit", "tblite"}


def test_importing_everything_changes_no_global_state():
    """No dtype, seed, thread count, print option, warning filter or environment variable."""
    code = f"""
import importlib, json, os, random, warnings
import numpy, torch
import ase.io, scipy, pydantic  # what libraries do when they are imported is not ours
for name in {sorted(OPTIONAL)!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
try:
    import openmmtorch
except ImportError:
    pass

def state():
    return [
        str(torch.get_default_dtype()), torch.get_num_threads(), torch.get_num_interop_threads(),
        torch.initial_seed(), torch.get_rng_state().tolist(), torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(),
        torch.backends.cuda.matmul.allow_tf32, str(torch._tensor_str.PRINT_OPTS),
        str(numpy.random.get_state()), str(numpy.get_printoptions()), str(numpy.geterr()), str(random.getstate()),
        dict(os.environ), os.getcwd(), len(warnings.filters),
    ]

before = state()
for name in {sorted(MODULES)!r}:
    if name.endswith("__main__"):
        continue
    try:
        importlib.import_module(name)
    except ImportError as error:
        if getattr(error, "name", None) not in {sorted(OPTIONAL)!r}:
            raise
after = state()
print(json.dumps([i for i, (a, b) in enumerate(zip(before, after)) if a != b]))
"""
    assert run(code) == []


def test_public_names_exist():
    for name in sakeff.__all__:
        assert getattr(sakeff, name) is not None
    assert set(dir(sakeff)) == set(sakeff.__all__)
    with pytest.raises(AttributeError, match="no attribute 'SakeCalculator'"):
        _ = sakeff.SakeCalculator


SCRIPTED = ["types", "geometry", "potential", "ops", "nn", "representations", "heads", "neighbours", "export"]


def test_scripted_files_keep_annotations_that_torchscript_reads():
    for name, path in MODULES.items():
        if layer(name) in SCRIPTED:
            assert "from __future__ import annotations" not in path.read_text(encoding="utf-8"), name
