"""What a drill concludes from the events of its two runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from labsupport.training.drill import DrillResult, flip_bytes, resume_drill
from labsupport.training.result import TrainResult
from labsupport.training.spec import TrainSpec

SPEC = TrainSpec(checkpoint_every=5)


def start(at: float, step: int = 0, device: str = "cpu", **facts) -> dict:
    return {"event": "start", "time": at, "pid": at, "step": step, "world_size": 2, "device": device, **facts}


def steps(at: float, losses: dict[int, float]) -> list[dict]:
    return [
        {"event": "step", "time": at + step, "pid": at, "step": step, "loss": loss.hex()}
        for step, loss in losses.items()
    ]


def result(*events: dict | list[dict], checksum: str = "same") -> TrainResult:
    flat = [one for event in events for one in (event if isinstance(event, list) else [event])]
    return TrainResult(SPEC, Path("a-run"), tuple(flat), 0.9, checksum, began=0.0, wall_s=1.0)


NAN = float("nan")
LOSSES = {1: 1.5, 2: NAN, 3: NAN}


def drill(losses=LOSSES, again=None, checksum="same", baseline=LOSSES, **facts) -> DrillResult:
    again = {step: loss for step, loss in losses.items() if step > 1} if again is None else again
    interrupted = result(
        start(100.0, **facts), steps(100.0, losses), start(200.0, step=1, skipped=["step 5: gone"], **facts),
        steps(200.0, again), checksum=checksum,
    )  # fmt: skip
    return DrillResult(result(start(0.0, **facts), steps(0.0, baseline)), interrupted, 0, 110.0, 3, None)


def test_two_runs_that_diverged_at_the_same_step_are_exact():
    assert drill().exact


@pytest.mark.parametrize(
    "changed",
    [
        {"losses": {1: 1.5, 2: 0.1, 3: NAN}, "again": {2: 0.1, 3: NAN}},
        {"baseline": {1: 1.5, 2: NAN, 3: 0.2}},
        {"again": {2: 0.3, 3: NAN}},
        {"baseline": {1: 0.0, 2: NAN, 3: NAN}, "losses": {1: -0.0, 2: NAN, 3: NAN}},
        {"checksum": "another"},
        {"device": "cuda:0"},
    ],
    ids=["a number for NaN", "NaN for a number", "a replay", "a sign", "the parameters", "a GPU that repeats no bits"],
)
def test_anything_that_differs_is_not_exact(changed):
    assert not drill(**changed).exact


def test_a_gpu_is_exact_where_it_was_told_to_repeat_its_bits():
    assert drill(device="cuda:0", deterministic=True).exact


def test_the_time_between_the_kill_and_life_after_it_is_told_apart():
    told = drill()
    assert (told.resumed_at_step, told.lost_steps, told.skipped) == (1, 2, ("step 5: gone",))
    assert told.recovery_s == 92.0
    assert told.phases_s == {"notice, restart, import": 90.0, "first step": 2.0, "repeat lost steps": 1.0}


def test_a_kill_that_proves_nothing_is_refused_before_anything_starts():
    with pytest.raises(ValueError, match="before the checkpoint of step 5"):
        resume_drill(SPEC, kill_at_step=5)
    with pytest.raises(ValueError, match="rank 2"):
        resume_drill(SPEC, rank=2, kill_at_step=13)
    with pytest.raises(ValueError, match="another spec"):
        resume_drill(TrainSpec(seed=1, checkpoint_every=5), kill_at_step=13, baseline=result(start(0.0)))


def test_flipped_bytes_keep_the_length_of_a_file_and_change_its_middle(tmp_path):
    (tmp_path / "file").write_bytes(bytes(1000))
    flip_bytes(tmp_path / "file")
    flipped = (tmp_path / "file").read_bytes()
    assert len(flipped) == 1000
    assert [position for position, byte in enumerate(flipped) if byte] == list(range(500, 564))
