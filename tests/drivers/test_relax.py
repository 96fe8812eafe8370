import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

import sakeff
from sakeff.drivers import relax, relaxation_in, rmsd
from sakeff.errors import ConfigError, OutputExistsError, SimulationError, StructureError
from sakeff.structures import load_structure


@pytest.mark.parametrize("optimiser", ["LBFGS", "FIRE", "BFGS"])
def test_reaches_the_minimum_and_writes_everything(tmp_path, optimiser):
    start = molecule("CH3CH2OH")
    before = start.positions.copy()
    result = relax(start, EMT(), optimiser, fmax=0.01, steps=2000, outputs=relaxation_in(tmp_path))
    assert result.converged
    assert result.fmax <= 0.01
    assert result.fmax == pytest.approx(np.linalg.norm(result.atoms.get_forces(), axis=1).max())
    assert result.energy == result.energies[-1] < result.energies[0]
    assert len(result.energies) == result.steps + 1
    np.testing.assert_array_equal(start.positions, before)
    frames = ase.io.read(tmp_path / "trajectory.xyz", ":")
    np.testing.assert_allclose([frame.get_potential_energy() for frame in frames], result.energies, atol=1e-8)
    final = ase.io.read(tmp_path / "relaxed.xyz")
    np.testing.assert_allclose(final.positions, result.atoms.positions, atol=1e-7)
    assert (tmp_path / "energy.png").exists()
    assert not (tmp_path / "last_good.xyz").exists()


def test_out_of_steps_is_not_converged():
    result = relax(molecule("CH3CH2OH"), EMT(), steps=2)
    assert (result.converged, result.steps) == (False, 2)
    assert result.fmax > 0.01


def test_with_a_model(model):
    """A random potential need not have a minimum; the first steps must follow its forces."""
    start = load_structure("ethanol")
    start.calc = sakeff.SAKECalculator(model)
    result = relax(start, model, fmax=1e-9, steps=3)
    assert result.energies[0] == pytest.approx(start.get_potential_energy(), abs=1e-12)
    assert result.energies[-1] < result.energies[0]


def test_an_open_structure_has_no_cell_to_relax(tmp_path):
    outputs = relaxation_in(tmp_path)
    with pytest.raises(StructureError, match="no stress; relax it without a cell filter"):
        relax(molecule("H2O"), EMT(), cell_filter="cell", outputs=outputs)
    assert not list(tmp_path.iterdir())


def test_cell_filter_relaxes_the_cell():
    strained = bulk("Cu", a=3.9, cubic=True)
    result = relax(strained, EMT(), fmax=1e-3, cell_filter="cell")
    assert result.converged
    assert abs(result.atoms.get_stress()).max() < 1e-3
    assert result.atoms.cell.lengths()[0] == pytest.approx(3.59, abs=0.01)


def test_rmsd_ignores_motion_but_not_reflection():
    atoms = load_structure("alanine")
    moved = atoms.copy()
    moved.rotate(70, (1, 2, 3))
    moved.translate([3, -1, 2])
    assert rmsd(moved, atoms) < 1e-6
    mirrored = atoms.copy()
    mirrored.positions *= [1, 1, -1]
    assert rmsd(mirrored, atoms) > 0.1
    stretched = atoms.copy()
    stretched.positions[0] += [0.5, 0, 0]
    assert 0 < rmsd(stretched, atoms) <= 0.5 / np.sqrt(len(atoms)) + 1e-9


def test_reference_must_have_the_same_atoms():
    with pytest.raises(StructureError, match="other atoms"):
        relax(molecule("H2O"), EMT(), reference=molecule("CO2"))


class Poison(Calculator):
    """Harmonic for three calls, then NaN."""

    implemented_properties = ("energy", "forces")

    def __init__(self):
        super().__init__()
        self.calls = 0

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.calls += 1
        factor = np.nan if self.calls > 3 else 1.0
        positions = self.atoms.positions
        self.results = {"energy": factor * (positions**2).sum(), "forces": -2 * factor * positions}


def test_non_finite_numbers_stop_and_save_the_last_good_structure(tmp_path):
    with pytest.raises(SimulationError, match=r"non-finite; its last good structure is in .*last_good.xyz") as caught:
        relax(molecule("H2O"), Poison(), "FIRE", outputs=relaxation_in(tmp_path))
    assert "after step 2 " in str(caught.value)
    saved = ase.io.read(tmp_path / "last_good.xyz")
    assert np.isfinite(saved.positions).all()
    assert np.isfinite(saved.get_potential_energy())
    assert len(ase.io.read(tmp_path / "trajectory.xyz", ":")) == 3
    assert not (tmp_path / "relaxed.xyz").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"optimiser": "Newton"}, "Unknown optimiser"),
        ({"cell_filter": "box"}, "Unknown cell filter"),
        ({"fmax": 0.0}, "fmax"),
        ({"fmax": float("nan")}, "fmax"),
        ({"steps": -1}, "steps"),
    ],
)
def test_requests_that_make_no_sense(options, match):
    with pytest.raises(ConfigError, match=match):
        relax(molecule("H2O"), EMT(), **options)


def test_outputs_are_refused_before_anything_is_written(tmp_path):
    (tmp_path / "energy.png").write_text("precious")
    with pytest.raises(OutputExistsError):
        relax(molecule("H2O"), EMT(), outputs=relaxation_in(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["energy.png"]
    assert (tmp_path / "energy.png").read_text() == "precious"
