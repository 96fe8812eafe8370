"""The benchmark: statistics, structures, the protocol with our own package, and what the tables say."""

import io
import json
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

import benchmark
from benchmarks import document, dynamics, environments, plot, statistics, tables, timing
from benchmarks.client import Client, Launch, NotMeasured, reason
from benchmarks.dynamics_run import step_numbers
from benchmarks.entries import OTHERS, our_entries, our_entry
from benchmarks.packages import ours
from benchmarks.run import FULL, chosen_entries, expected_seconds, launcher, versions
from benchmarks.structure import Structure, from_message, moved, to_message
from benchmarks.structures import benchmark_structure
from benchmarks.water import BOND, CONTACT, water
from benchmarks.worker import Worker, serve
from vesin import NeighborList

from sakeff.errors import OutputExistsError
from sakeff.units import AVOGADRO
from tests.helpers import shared_folder

SMALL = {
    "so3krates": {"name": "so3krates", "width": 12, "layers": 1, "heads": 2, "basis_size": 8},
    "sake": {"name": "sake", "width": 12, "layers": 1, "heads": 2, "coefficients": 6, "basis_size": 8},
}


# ---------------------------------------------------------------- statistics


def test_summary_is_median_and_quartiles():
    assert statistics.summarise([5.0, 1.0, 2.0, 4.0, 3.0]) == (3.0, 2.0, 4.0, 5)


def test_ratios_are_paired_by_round():
    """A machine that becomes twice as slow for all leaves the ratio as it is."""
    reference, other = {0: 4.0, 1: 8.0, 2: 5.0}, {0: 2.0, 1: 4.0, 3: 9.0}
    assert statistics.paired_ratios(reference, other) == (2.0, 2.0, 2.0, 2)
    assert statistics.paired_ratios(reference, {7: 1.0}) is None


@pytest.mark.parametrize("seconds", [1e-4, 0.02, 0.4, 3.0, 50.0])
def test_plan_keeps_the_budget_but_for_the_fewest_rounds(seconds):
    plan = statistics.plan_repetitions(seconds, budget=10.0)
    cost = plan.rounds * (plan.burst + plan.discard) * seconds
    assert plan.rounds == statistics.FEWEST_ROUNDS or cost <= 10.0
    assert statistics.FEWEST_ROUNDS <= plan.rounds <= statistics.MOST_ROUNDS
    assert 1 <= plan.burst <= statistics.LONGEST_BURST


@pytest.mark.parametrize("rounds", [1, 5, 7, 25])
def test_every_entry_has_its_rounds_evenly(rounds):
    turns = [statistics.takes_part(number, rounds, 25) for number in range(25)]
    assert sum(turns) == rounds
    gaps = np.diff(np.flatnonzero(turns))
    assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_steps_are_compared_with_the_bare_evaluation_of_the_same_round():
    found = step_numbers([0.0011, 0.0022], [0.001, 0.002])
    assert found["overhead_percent"]["median"] == pytest.approx(10.0)
    # 0.00165 s for 0.5 fs
    assert found["ns_per_day"] == pytest.approx(86400 / 0.00165 * 0.5e-6)


# ---------------------------------------------------------------- structures


@pytest.mark.parametrize("lattice", [(4, 4, 4), (4, 4, 8)])
def test_water_has_density_one_and_rigid_molecules_without_contacts(lattice):
    box = water(lattice)
    molecules = np.prod(lattice)
    grams = molecules * 18.01528 / AVOGADRO
    assert grams / (np.linalg.det(box.cell) * 1e-24) == pytest.approx(1.0, abs=1e-12)
    assert box.numbers.tolist() == [8, 1, 1] * molecules
    molecule = box.positions.reshape(-1, 3, 3)
    np.testing.assert_allclose(np.linalg.norm(molecule[:, 1:] - molecule[:, :1], axis=-1), BOND, rtol=1e-12)
    centre, other, distance = NeighborList(cutoff=3.0, full_list=True).compute(box.positions, box.cell, True, "ijd")
    assert distance[centre // 3 != other // 3].min() > CONTACT


def test_water_is_the_same_for_the_same_seed_only():
    assert np.array_equal(water((2, 2, 2)).positions, water((2, 2, 2)).positions)
    assert not np.array_equal(water((2, 2, 2)).positions, water((2, 2, 2), seed=2).positions)


@pytest.mark.parametrize(("name", "formula"), [("aspirin", "C9H8O4"), ("ala15", "C48H82N16O16")])
def test_molecules_are_complete_and_not_broken(name, formula):
    molecule = benchmark_structure(name)
    assert Atoms(molecule.numbers).get_chemical_formula() == formula
    distances = NeighborList(cutoff=3.0, full_list=True).compute(molecule.positions, molecule.cell, False, "d")[0]
    assert distances.min() > 0.9


def test_sizes_are_like_those_of_structures_from_elsewhere():
    """As many neighbours within 5 A as in structures that this code did not make, within 10 %."""
    folder = shared_folder() / "data" / "structures"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    search = NeighborList(cutoff=5.0, full_list=True)
    for file, name in (("ala15_162.xyz", "ala15"), ("water_64.xyz", "water_192")):
        other, mine = ase.io.read(folder / file), benchmark_structure(name)
        (theirs,) = search.compute(other.positions, other.cell.array, bool(other.pbc.all()), "i")
        (here,) = search.compute(mine.positions, mine.cell, mine.periodic, "i")
        assert len(here) == pytest.approx(len(theirs), rel=0.1)


def test_motion_is_small_seeded_and_the_jump_rigid():
    molecule = benchmark_structure("aspirin")
    shift = moved(molecule, 5) - molecule.positions
    assert 0.001 < np.abs(shift).mean() < np.abs(shift).max() <= 0.01
    assert np.array_equal(moved(molecule, 5), moved(molecule, 5))
    assert not np.array_equal(moved(molecule, 5), moved(molecule, 6))
    jump = moved(molecule, 5, jump=True) - moved(molecule, 5)
    assert np.linalg.norm(jump, axis=1).min() > 0.5
    np.testing.assert_allclose(jump, jump[:1] + np.zeros_like(jump), atol=1e-12)


def test_message_keeps_every_digit():
    molecule = benchmark_structure("aspirin")
    back = from_message(json.loads(json.dumps(to_message(molecule))))
    assert np.array_equal(back.positions, molecule.positions)
    assert np.array_equal(back.numbers, molecule.numbers)
    assert (back.name, back.periodic) == (molecule.name, molecule.periodic)


# ---------------------------------------------------------------- workers


@pytest.fixture
def small_networks(monkeypatch):
    """Our package with networks that are quick to export."""
    monkeypatch.setattr(ours, "REPRESENTATIONS", SMALL)
    ours.exported_file.cache_clear()
    yield
    ours.exported_file.cache_clear()


def conversation(*messages):
    """What a worker of our package answers."""
    output = io.StringIO()
    serve(Worker(ours, "cpu"), io.StringIO("".join(json.dumps(one) + "\n" for one in messages)), output)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def prepare_message(route="program", model="so3krates", path="reference"):
    options = {"model": model, "path": path, "route": route}
    return {"do": "prepare", "options": options, "structure": to_message(benchmark_structure("aspirin"))}


@pytest.mark.usefixtures("small_networks")
@pytest.mark.parametrize("model", ["so3krates", "sake"])
def test_worker_times_aspirin_and_every_route_gives_the_same_forces(model):
    pytest.importorskip("openmmtorch", reason="openmmtorch is not installed (extra [openmm])")
    norms = {}
    for route in ours.ROUTES:
        built, timed, memory = conversation(
            prepare_message(route, model), {"do": "time", "first": 3, "count": 4}, {"do": "memory"}
        )
        assert built["seconds"] > 0
        assert len(timed["seconds"]) == 4
        assert min(timed["seconds"]) > 0
        # The kernel counts pages in batches of each thread, so that a peak may come out a little lower than before.
        assert memory["peak_mb"] > 0.99 * memory["baseline_mb"] > 10
        norms[route] = timed["force_norm"]
    assert norms == pytest.approx(dict.fromkeys(ours.ROUTES, norms["program"]), rel=1e-4)
    assert norms["program"] > 0


@pytest.mark.usefixtures("small_networks")
def test_worker_answers_mistakes_with_a_reason_and_goes_on():
    answers = conversation(
        {"do": "time", "first": 0, "count": 1},
        prepare_message(path="no such path"),
        prepare_message(),
        {"do": "time", "first": 0, "count": 2, "jump": True},
        {"do": "release"},
        {"do": "describe"},
    )
    assert "prepared" in answers[0]["error"]
    assert "no such path" in answers[1]["error"]
    assert len(answers[3]["seconds"]) == 2
    assert answers[4] == {}
    assert answers[5]["versions"]["torch"].startswith("2.")


@pytest.mark.usefixtures("small_networks")
def test_dynamics_takes_turns_with_every_engine():
    pytest.importorskip("openmmtorch", reason="openmmtorch is not installed (extra [openmm])")
    message = to_message(benchmark_structure("aspirin"))
    found = dynamics.measure("sake", "reference", message, "cpu", budget=0.1, least_rounds=2)
    assert {dynamics.BARE, "ASE Langevin", "OpenMM TorchForce, CPU", "OpenMM PythonForce, CPU"} <= set(found["rounds"])
    rounds = {len(seconds) for seconds in found["rounds"].values()}
    assert len(rounds) == 1
    assert rounds.pop() >= 2
    assert all(second > 0 for seconds in found["rounds"].values() for second in seconds)


@pytest.mark.usefixtures("small_networks")
def test_dynamics_with_lists_of_fixed_length():
    pytest.importorskip("openmmtorch", reason="openmmtorch is not installed (extra [openmm])")
    structure = benchmark_structure("aspirin")
    moving = dynamics.thermal(structure)
    turns = dynamics.graph_turns(ours.random_potential("sake"), "torch", structure, moving, "Reference")
    assert set(turns) == {"ASE Langevin, CUDA graph", "OpenMM TorchForce, CUDA graph"}
    assert all(turn(2) > 0.0 for turn in turns.values())


def launch_here(tmp_path):
    return Launch(Path(sys.executable), "ours", "cpu", 1, 8.0, tmp_path / "worker.log")


def test_client_speaks_with_a_process_and_gives_up_in_time(tmp_path):
    with Client(launch_here(tmp_path)) as client:
        assert client.ask(do="describe")["versions"]["sakeff"]
        with pytest.raises(NotMeasured, match="prepared"):
            client.ask(do="time", first=0, count=1)
        assert client.alive
        with pytest.raises(NotMeasured, match="over the time limit"):
            client.ask(0.0, **prepare_message())
        assert not client.alive


def test_client_tells_why_a_process_ended(tmp_path):
    with (
        Client(launch_here(tmp_path)._replace(module="no_such_module")) as client,
        pytest.raises(NotMeasured, match="no_such_module"),
    ):
        client.ask(do="describe")


def test_memory_errors_become_the_limit():
    said = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 5 bytes"
    assert reason(said, 12.0) == "over the memory limit of 12 GiB"
    assert reason("something else", 12.0) == "something else"


# ---------------------------------------------------------------- timing with a worker that needs no process


class Answering:
    """Answers like a worker whose calls take a known time."""

    alive = True

    def __init__(self, seconds, fails_at=None):
        self.seconds, self.fails_at, self.asked = seconds, fails_at, []

    def ask(self, limit=0.0, **message):
        self.asked.append(message)
        if message["do"] == self.fails_at:
            raise NotMeasured("it broke")
        if message["do"] == "prepare":
            return {"seconds": 0.5}
        return {"seconds": [self.seconds] * message.get("count", 0), "force_norm": 1.0}

    def stop(self):
        self.alive = False


def timed_with(workers, expected=None, call_s=20.0):
    entries = [entry for entry in [*OTHERS, *our_entries(["reference"], ["sake"], ["program"])] if entry.key in workers]
    pool = timing.Pool(lambda entry: workers[entry.key])
    limits = timing.Limits(call_s, 4.0)
    return timing.time_structure(pool, entries, benchmark_structure("aspirin"), expected or {}, limits, lambda _: None)


def test_timing_gives_steady_state_ratio_and_new_lists():
    mine = "sakeff/sake/reference/program"
    found = timed_with({"so3krates-torch": Answering(0.6), mine: Answering(0.1)})
    assert found[mine]["steady_s"]["median"] == 0.1
    assert found[mine]["speedup"]["median"] == pytest.approx(6.0)
    assert found[mine]["new_list_s"]["repetitions"] == timing.NEW_LISTS - 1
    assert found["so3krates-torch"]["speedup"]["median"] == 1.0
    assert found["so3krates-torch"]["new_list_s"] is None


def test_without_the_reference_there_is_no_ratio():
    mine = "sakeff/sake/reference/program"
    found = timed_with({"so3krates-torch": Answering(0.6, fails_at="prepare"), mine: Answering(0.1)})
    assert found["so3krates-torch"] == {"not_measured": "it broke"}
    assert found[mine]["speedup"] is None


def test_what_would_take_too_long_is_not_tried():
    worker = Answering(1.0)
    found = timed_with({"mace-torch": worker}, expected={"mace-torch": 31.0})
    assert "31 s per call" in found["mace-torch"]["not_measured"]
    assert worker.asked == []
    found = timed_with({"mace-torch": Answering(25.0)})
    assert "time limit of 20 s" in found["mace-torch"]["not_measured"]


def test_workers_that_are_not_needed_end():
    mace = next(entry for entry in OTHERS if entry.key == "mace-torch")
    pool = timing.Pool(lambda entry: Answering(1.0))
    worker = pool.client(mace)
    timing.time_structure(
        pool, [mace], benchmark_structure("aspirin"), {mace.key: 31.0}, timing.Limits(20.0, 4.0), lambda _: None
    )
    assert not worker.alive


def test_expected_time_grows_with_the_atoms_of_the_same_kind():
    small, large = water((2, 2, 2)), water((2, 2, 4))
    found = {small.name: {"a": {"steady_s": {"median": 2.0}}, "b": {"not_measured": "?"}}}
    assert expected_seconds(found, small, large) == {"a": 4.0, "b": float("inf")}
    assert expected_seconds(found, benchmark_structure("aspirin"), large) == {}


# ---------------------------------------------------------------- settings, documents and tables


def test_entries_cover_every_route_of_the_first_path_and_the_file_of_others():
    keys = [entry.key for entry in our_entries(["auto", "reference"], ["sake"], list(ours.ROUTES))]
    assert keys == [*(f"sakeff/sake/auto/{route}" for route in ours.ROUTES), "sakeff/sake/reference/program"]
    chosen = chosen_entries(FULL._replace(packages=["mace-torch"], models=["sake"], paths=["reference"]))
    assert {entry.package for entry in chosen} == {"mace-torch", "sakeff"}


def test_requirements_name_every_public_package_with_a_version():
    found = environments.requirements()
    assert set(found) == {entry.package for entry in OTHERS}
    assert all("==" in requirement for requirement in found.values())


def test_a_package_that_is_not_installed_is_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", tmp_path)
    found = versions(timing.Pool(launcher(FULL)), OTHERS[0])
    assert "not installed" in found["not_measured"]


def test_command_line_changes_the_settings():
    options = benchmark.parser().parse_args(["run", "--quick", "--threads", "1", "--packages", "--paths", "reference"])
    chosen = benchmark.settings(options)
    assert (chosen.threads, list(chosen.packages), chosen.paths) == (1, [], ["reference"])
    assert chosen.structures == benchmark.QUICK.structures


def some_run():
    """A run with one of everything."""
    summary = {"median": 0.0123456, "q1": 0.012, "q3": 0.013, "repetitions": 9}
    one = {
        "prepare_s": 0.2,
        "first_s": 1.5,
        "steady_s": summary,
        "speedup": {"median": 4.2, "q1": 4.0, "q3": 4.4, "repetitions": 9},
        "new_list_s": summary,
        "force_norm": 1.0,
    }
    entries = [OTHERS[0], OTHERS[-1], our_entry("sake", "auto", "program"), our_entry("sake", "auto", "ase")]
    mine = entries[2].key
    described = {
        entry.key: {"label": entry.label, "package": entry.package, "is_main": entry.is_main} for entry in entries
    }
    step = {"step_s": summary, "ns_per_day": 3.5, "overhead_percent": {"median": 4.0, "q1": -1.0, "q3": 9.0}}
    bare = {**step, "overhead_percent": {"median": 0.0, "q1": 0.0, "q3": 0.0}}
    return {
        "settings": {"threads": 2},
        "machine": {
            "processor": "Some CPU",
            "cores": 2,
            "memory_gib": 24.0,
            "system": "Linux",
            "gpu": None,
            "date": "2026-11-21 06:00 UTC",
            "commit": "0123456789ab",
        },
        "packages": {
            "so3krates-torch": {"so3krates-torch": "0.2.1"},
            "mace-torch": {"not_measured": "pip could not install it"},
            "sakeff": {"torch": "2.9.1"},
        },
        "entries": described,
        "structures": {
            "aspirin": {"atoms": 21, "edges": 306, "periodic": False},
            "water_24576": {"atoms": 24576, "edges": 1331624, "periodic": True},
        },
        "evaluations": {
            "aspirin": {"so3krates-torch": one, mine: one, entries[3].key: one},
            "water_24576": {"so3krates-torch": {"not_measured": "over the time limit of 20 s"}, mine: one},
        },
        "memory": {"water_24576": {mine: {"baseline_mb": 540.0, "peak_mb": 4321.0}}},
        "dynamics": {"aspirin": {"sake": {"evaluation": bare, "ASE Langevin": step}, "so3krates": document.NO_RUN}},
    }


def rows_of(table):
    """Cells by their first column."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1
    return {line[0]: line[1:] for line in lines[2:]}


def test_table_of_times_tells_apart_what_is_missing():
    rows = rows_of(tables.time_table(some_run()))
    assert rows["so3krates-torch"] == ["12.3 (12.0-13.0)", "not measured"]
    assert rows["MACE 96x0e, 2 layers"] == ["not measured", "not measured"]
    assert rows["sakeff SAKE, fast path, exported file"] == ["12.3 (12.0-13.0)"] * 2
    assert rows["sakeff SAKE, fast path, ASE calculator"] == ["12.3 (12.0-13.0)", "-"]


def test_other_tables_have_their_numbers():
    run = some_run()
    assert rows_of(tables.speedup_table(run))["sakeff SAKE, fast path, exported file"][0] == "4.20 (4.00-4.40)"
    assert rows_of(tables.scaling_table(run))["sakeff SAKE, fast path, exported file"] == ["0.502"]
    assert rows_of(tables.cost_table(run))["sakeff SAKE, fast path, exported file"][-2:] == ["540", "4,321"]
    dynamics_rows = tables.dynamics_table(run)
    assert "| ASE Langevin | 12.3 (12.0-13.0) | 3.50 | +4.0 (-1.0 to +9.0) |" in dynamics_rows
    assert "| evaluation | 12.3 (12.0-13.0) | 3.50 |  |" in dynamics_rows


def test_report_gives_reasons_machine_and_the_missing_device():
    runs = {"cpu": some_run(), "cuda": {"not_measured": "no run on such a device yet"}}
    for text in (tables.report(runs), tables.readme_section(runs)):
        assert "mace-torch: pip could not install it" in text
        assert "so3krates-torch on water_24576: over the time limit of 20 s" in text
        assert "Some CPU, 2 cores, 2 threads" in text
        assert "GPU: not measured (no run on such a device yet)." in text
    assert "docs/benchmark.png" in tables.readme_section(runs)
    assert "docs/benchmark.png" not in tables.readme_section({"cpu": document.NO_RUN, "cuda": document.NO_RUN})


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.04567, "0.046"), (0.99999, "1.00"), (9.996, "10.0"), (12.34, "12.3"), (99.96, "100"), (4567.8, "4,570")],
)
def test_three_digits(value, text):
    assert tables.digits(value) == text


def test_plot_has_one_curve_for_each_measured_main_entry():
    figure = plot.plot({"cpu": some_run(), "cuda": document.NO_RUN})
    (panel,) = figure.axes
    assert [line.get_label() for line in panel.lines] == ["so3krates-torch", "sakeff SAKE, fast path"]
    assert panel.get_xscale() == panel.get_yscale() == "log"
    np.testing.assert_allclose(panel.lines[1].get_xydata(), [[21, 12.3456], [24576, 12.3456]])


def test_document_keeps_the_other_device_and_is_not_overwritten_unasked(tmp_path):
    path = tmp_path / "docs" / "benchmark.json"
    assert document.read_runs(path)["cpu"] == document.NO_RUN
    document.write_run(path, "cpu", some_run(), overwrite=False)
    with pytest.raises(OutputExistsError):
        document.write_run(path, "cpu", {}, overwrite=False)
    runs = document.write_run(path, "cuda", {"not_measured": "no GPU"}, overwrite=True)
    assert runs == document.read_runs(path)
    assert runs["cpu"] == some_run()
    assert runs["cuda"] == {"not_measured": "no GPU"}


def test_main_measures_writes_and_shows(tmp_path, monkeypatch, capsys):
    """The command line from end to end, with a run that is already there."""
    path = tmp_path / "benchmark.json"
    monkeypatch.setattr(benchmark, "run", lambda settings, say: some_run())
    assert benchmark.main(["run", "--output", str(path)]) == 0
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert benchmark.main(["show", "--output", str(path)]) == 0
    assert "Some CPU" in capsys.readouterr().out
    assert "Some CPU" in path.with_suffix(".md").read_text(encoding="utf-8")
    with pytest.raises(OutputExistsError):
        benchmark.main(["run", "--output", str(path)])


def test_structure_is_what_the_worker_gets():
    assert isinstance(benchmark_structure("water_192"), Structure)
    assert len(benchmark_structure("water_1536").numbers) == 1536
