"""What is read off the events of a run, also where they are not all there."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from labsupport.training.result import TrainResult, largest_difference
from labsupport.training.spec import TrainSpec


def result(*events: dict, began: float = 0.0) -> TrainResult:
    return TrainResult(TrainSpec(), Path("a-run"), events, 0.9, "", began=began, wall_s=1.0)


def of_losses(*losses: float) -> TrainResult:
    return result(*({"event": "step", "step": step, "loss": loss.hex()} for step, loss in enumerate(losses, start=1)))


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ((1.0, 2.0), (1.0, 2.5), 0.5),
        ((1.0, math.nan), (1.0, math.nan), 0.0),
        ((1.5, math.nan), (1.0, math.nan), 0.5),
        ((1.0, math.nan), (1.0, 2.0), math.inf),
        ((math.nan, 1.0), (2.0, 1.0), math.inf),
        ((1.0, math.inf), (1.0, math.inf), 0.0),
        ((1.0, math.inf), (1.0, -math.inf), math.inf),
    ],
)
def test_the_largest_difference_counts_nan_as_equal_to_itself_and_to_nothing_else(one, other, distance):
    assert largest_difference(of_losses(*one), of_losses(*other)) == distance
    assert largest_difference(of_losses(*other), of_losses(*one)) == distance


def test_runs_of_other_steps_are_not_compared():
    with pytest.raises(ValueError, match="different steps: 1 and 2"):
        largest_difference(of_losses(1.0), of_losses(1.0, 2.0))


def test_a_resumed_run_tells_its_workers_its_steps_and_what_this_call_skipped():
    resumed = result(
        {"event": "start", "step": 0, "time": 1.0, "world_size": 2, "skipped": ["of before"]},
        {"event": "checkpoint", "step": 4, "time": 2.0},
        {"event": "start", "step": 4, "time": 11.0, "world_size": 1, "skipped": ["step 8: gone"]},
        {"event": "end", "step": 20, "time": 12.0},
        {"event": "error", "time": 13.0},
        began=10.0,
    )
    assert resumed.world_sizes == (2, 1)
    assert resumed.skipped == ("step 8: gone",)
    assert resumed.steps == 20
    assert resumed.losses == {}
