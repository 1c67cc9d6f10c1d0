"""The resume drill: a real SIGKILL of one worker in the middle of an epoch, and the proof that nothing was lost.

Two runs of one spec, the second with a fault: a watcher follows the events of one rank and kills its process once it
has done a given step. The run must restart by itself, and every loss and the final checksum of all parameters must
equal those of the baseline bit for bit. With `corrupt`, bytes of the newest complete checkpoint are flipped while Ray
restarts the group, so the run must refuse it and fall back to the one before.

Limitations: no worker that hangs instead of dying, and no loss of a whole machine (both week 2).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from labsupport.faults.processes import KillWhen
from labsupport.training import ray_session, run_folder
from labsupport.training.checkpoint import RUN_STATE
from labsupport.training.events import follow_events, losses_in_hex, read_events
from labsupport.training.recovery import find_starting_point
from labsupport.training.result import TrainResult
from labsupport.training.run_folder import CHECKPOINTS, EVENTS
from labsupport.training.sampler import shard
from labsupport.training.spec import TrainSpec
from labsupport.training.trainer import train

FLIPPED_BYTES = 64
GROUP_ENDS_WITHIN_S = 60


@dataclass(frozen=True)
class DrillResult:
    """The baseline and the interrupted run of one spec, and the time between the kill and life after it."""

    baseline: TrainResult
    interrupted: TrainResult
    rank: int
    killed_at: float  # seconds since the epoch
    killed_at_step: int
    corrupted: str | None  # the checkpoint that was damaged, and that the restarted run refused

    @property
    def _second_start(self) -> dict[str, Any]:
        return [event for event in self.interrupted.events if event["event"] == "start"][1]

    @property
    def resumed_at_step(self) -> int:
        """Steps that the restarted run found in its checkpoint."""
        return int(self._second_start["step"])

    @property
    def skipped(self) -> tuple[str, ...]:
        """Checkpoints that the restarted run refused, and why."""
        return tuple(self._second_start["skipped"])

    @property
    def lost_steps(self) -> int:
        """Steps that had to be done again."""
        return self.killed_at_step - self.resumed_at_step

    @property
    def recovery_s(self) -> float:
        """Seconds from the kill to the end of the first step after it."""
        after = (
            event["time"] for event in self.interrupted.events
            if event["event"] == "step" and event["pid"] == self._second_start["pid"]
        )  # fmt: skip
        return float(next(after) - self.killed_at)

    @property
    def phases_s(self) -> dict[str, float]:
        """Where the recovery went: until the new workers run the loop, their first step, and the repeated steps."""
        began = self._second_start["time"]
        caught_up = next(
            event["time"] for event in self.interrupted.events
            if event["event"] == "step" and event["time"] > began and event["step"] >= self.killed_at_step
        )  # fmt: skip
        first = self.killed_at + self.recovery_s
        return {
            "notice, restart, import": began - self.killed_at,
            "first step": first - began,
            "repeat lost steps": caught_up - first,
        }

    @property
    def exact(self) -> bool:
        """Say whether every loss and the final parameters are those of the baseline, bit for bit; NaN equals NaN.

        A run that does not repeat its bits (TrainResult.deterministic) is never called exact.
        """
        return (
            self.baseline.deterministic
            and self.interrupted.deterministic
            and losses_in_hex(self.baseline.events) == losses_in_hex(self.interrupted.events)
            and not self.interrupted.replayed_differently
            and self.baseline.checksum == self.interrupted.checksum
        )


def resume_drill(
    spec: TrainSpec,
    *,
    rank: int = 1,
    kill_at_step: int,
    corrupt: bool = False,
    baseline: TrainResult | None = None,
    shard_fn: Callable[..., Sequence[int]] = shard,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> DrillResult:
    """Run the drill; pass the result of a `baseline` run of the same spec to save repeating it.

    Raises:
        ValueError: the kill would come before the first checkpoint or after the last step, or there is no such rank.
    """
    if not 0 <= rank < spec.num_workers:
        raise ValueError(f"rank {rank} is not one of the {spec.num_workers} workers")
    if kill_at_step <= spec.checkpoint_every:
        raise ValueError(f"kill_at_step {kill_at_step} comes before the checkpoint of step {spec.checkpoint_every}")
    if baseline is not None and baseline.spec != spec:
        raise ValueError("the baseline has another spec")
    with ray_session.running():
        baseline = baseline or train(spec, shard_fn=shard_fn, on_event=on_event)
        if kill_at_step >= max(baseline.losses):
            raise ValueError(f"kill_at_step {kill_at_step} is not before the last step, {max(baseline.losses)}")
        folder = run_folder.make("resume-drill")
        fault = _Fault(folder, spec, rank, kill_at_step)
        with KillWhen(fault.victim, then=fault.damage if corrupt else None) as kill:
            interrupted = train(spec, folder=folder, shard_fn=shard_fn, on_event=on_event)
    if kill.killed_at is None or interrupted.restarts == 0:
        raise RuntimeError(f"the kill came too late: the run ended before rank {rank} was seen at step {kill_at_step}")
    result = DrillResult(baseline, interrupted, rank, kill.killed_at, fault.step, fault.corrupted)
    if fault.corrupted and not any(fault.corrupted in why for why in result.skipped):
        raise RuntimeError(f"the damage came too late: {fault.corrupted} was read before its bytes were flipped")
    return result


class _Fault:
    """Watches one rank and names its process once the step is done; damages the newest checkpoint afterwards."""

    def __init__(self, folder: Path, spec: TrainSpec, rank: int, at_step: int) -> None:
        self._folder, self._spec, self._at_step = folder, spec, at_step
        self._follower = follow_events(folder / EVENTS, rank)
        self.step = 0
        self.corrupted: str | None = None

    def victim(self) -> int | None:
        steps = [event for event in self._follower.new() if event["event"] == "step"]
        if not steps or steps[-1]["step"] < self._at_step:
            return None
        self.step = int(steps[-1]["step"])
        return int(steps[-1]["pid"])

    def damage(self) -> None:
        """Flip bytes of the newest complete checkpoint, once Ray has ended the group: before, it may write another."""
        events = self._folder / EVENTS
        group = {read_events(events, rank)[-1]["pid"] for rank in range(self._spec.num_workers)}
        deadline = time.monotonic() + GROUP_ENDS_WITHIN_S
        while any(map(_runs, group)) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.corrupted = find_starting_point(self._folder, self._spec).checkpoint
        assert self.corrupted is not None, "the kill comes after the first checkpoint"
        flip_bytes(self._folder / CHECKPOINTS / self.corrupted / RUN_STATE)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def flip_bytes(file: Path) -> None:
    """Flip bytes in the middle of a file, as a failing disk would."""
    payload = bytearray(file.read_bytes())
    middle = len(payload) // 2
    for position in range(middle, min(middle + FLIPPED_BYTES, len(payload))):
        payload[position] ^= 0xFF
    file.write_bytes(payload)
