"""What `labs train` says at the end: JSON that is JSON, and a result also where writing it down fails."""

from __future__ import annotations

import json
import math
from dataclasses import replace
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


@pytest.mark.parametrize("as_json", [True, False])
def test_a_run_whose_events_were_lost_after_its_last_step_has_no_losses_and_still_concludes(capsys, as_json):
    _conclude(run(), None, as_json=as_json)
    shown = capsys.readouterr().out
    if as_json:
        assert (strict_json(shown)["first_loss"], strict_json(shown)["steps"]) == (None, 0)
    else:
        assert "loss nan -> nan in 0 steps" in shown


def test_what_a_resume_skipped_and_with_how_many_workers_it_went_on_is_said(capsys):
    before = run(2.0, 1.5)
    resumed = {
        "event": "start", "time": 9.0, "step": 2, "world_size": 1, "device": "cpu",
        "skipped": ["[a-run]/step_0000004: sha256 differs"],
    }  # fmt: skip
    result = replace(before, events=(*before.events, resumed))
    _conclude(result, None, as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert "skipped: [a-run]/step_0000004: sha256 differs" in shown
    assert "workers: 2, then 1; with another number of them losses agree to rounding at best" in shown
    _conclude(result, None, as_json=True)
    assert strict_json(capsys.readouterr().out)["skipped"] == ["[a-run]/step_0000004: sha256 differs"]
    _conclude(before, None, as_json=False)
    assert "workers: " not in capsys.readouterr().out


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
