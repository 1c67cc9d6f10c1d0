"""What `labs train` says at the end: JSON that is JSON, and a result also where writing it down fails."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from labsupport.cli.training import _conclude
from labsupport.errors import LabsError
from labsupport.receipts.ledger import ledger
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec


def run(*losses: float) -> TrainResult:
    start = {"event": "start", "time": 0.0, "step": 0, "world_size": 2, "device": "cpu"}
    steps = [
        {"event": "step", "time": step, "step": step, "loss": loss.hex(), "data_s": 0.1, "compute_s": 0.1}
        for step, loss in enumerate(losses, start=1)
    ]
    return TrainResult(TrainSpec(), Path("a-run"), (start, *steps), 0.9, "", began=0.0, wall_s=1.0)


def strict_json(text: str) -> dict:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


class Tracker:
    """Notes how many receipts there were when the run was closed."""

    run_id, place = "abc", "somewhere"
    receipts_before: int | None = None

    def finish(self, result):
        self.receipts_before = len(ledger().read().receipts)


def test_a_run_of_few_steps_has_no_throughput_and_its_json_says_null(capsys):
    _conclude(run(2.0, 1.5, 1.0), None, as_json=True)
    shown = strict_json(capsys.readouterr().out)
    assert (shown["samples_per_s"], shown["last_loss"], len(shown["receipts"])) == (None, 1.0, 2)


def test_a_run_that_diverged_says_null_too(capsys):
    _conclude(run(2.0, math.inf, math.nan, math.nan, math.nan), None, as_json=True)
    shown = strict_json(capsys.readouterr().out)
    assert (shown["last_loss"], shown["samples_per_s"]) == (None, 320.0)


def test_the_tracked_run_is_closed_after_its_receipts_are_written(capsys):
    tracker = Tracker()
    _conclude(run(2.0, 1.0), tracker, as_json=False)
    assert tracker.receipts_before == 2
    assert "MLflow run abc: somewhere" in capsys.readouterr().out


def test_receipts_that_cannot_be_written_neither_close_the_tracked_run_nor_hide_the_result(isolated, capsys):
    isolated.mkdir(parents=True)
    (isolated / "receipts.jsonl").symlink_to("/dev/full")
    tracker = Tracker()
    with pytest.raises(LabsError, match="cannot be written"):
        _conclude(run(2.0, 1.0), tracker, as_json=True)
    assert tracker.receipts_before is None
    shown = strict_json(capsys.readouterr().out)
    assert (shown["last_loss"], shown["receipts"], shown["folder"]) == (1.0, [], "a-run")


def test_a_store_that_is_gone_does_not_hide_the_result(capsys):
    class Gone(Tracker):
        def finish(self, result):
            raise LabsError("gone")

    with pytest.raises(LabsError, match="gone"):
        _conclude(run(2.0, 1.0), Gone(), as_json=True)
    assert len(strict_json(capsys.readouterr().out)["receipts"]) == 2
