"""Metrics as JSON lines: what a kill cut short is dropped, what is damaged is named."""

import pytest

from sakeff.errors import TrainingError
from sakeff.training.log import MetricsLog


def test_rewinding_drops_later_records_and_a_line_that_was_cut_short(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    assert log.records() == []
    for step in (1, 2, 3):
        log.append({"step": step, "loss": float("nan")})
    with log.path.open("a") as stream:
        stream.write('{"step": 4, "lo')
    log.rewind(2)
    assert log.records() == [{"step": 1, "loss": None}, {"step": 2, "loss": None}]
    assert len(log.path.read_text().splitlines()) == 2


def test_a_damaged_line_is_named(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl")
    log.path.write_text('{"step": 1}\n{"step" 2}\n')
    with pytest.raises(TrainingError, match=r"metrics\.jsonl has a damaged line"):
        log.records()
