"""What a training run did, read from the events of its rank 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any

from labsupport.training.events import losses, replays_that_differ
from labsupport.training.spec import TrainSpec

WARM_UP_STEPS = 3  # left out of times: the first steps allocate buffers and build DDP's buckets


@dataclass(frozen=True)
class TrainResult:
    """What a run did. The loss of a step is the mean over all workers."""

    spec: TrainSpec
    folder: Path
    events: tuple[dict[str, Any], ...]
    accuracy: float  # share of correct predictions on the test split
    checksum: str  # sha256 of all parameters
    began: float  # seconds since the epoch; a continued run has events from before
    wall_s: float

    @property
    def _start(self) -> dict[str, Any]:
        return [event for event in self.events if event["event"] == "start"][-1]

    @property
    def world_size(self) -> int:
        """Workers that ran: a run in one process has one, whatever its spec says."""
        return int(self._start["world_size"])

    @property
    def gpus(self) -> int:
        """GPUs that computed: one for each worker on a CUDA device, even if the spec reserves more for it."""
        return self.world_size if str(self._start["device"]).startswith("cuda") else 0

    @property
    def deterministic(self) -> bool:
        """Whether the same run has the same bits: always on a CPU, on a GPU if the spec asked for it."""
        starts = (event for event in self.events if event["event"] == "start")
        return all(event.get("deterministic") or not str(event["device"]).startswith("cuda") for event in starts)

    @property
    def steps(self) -> int:
        """Steps that the run has done, those of before a resume included."""
        return int([event for event in self.events if "step" in event][-1]["step"])

    @cached_property
    def losses(self) -> dict[int, float]:
        """Step -> loss, as finally counted: the mean over all workers."""
        return losses(list(self.events))

    @property
    def time_to_first_step_s(self) -> float:
        """Seconds until the end of the first step that was done here; NaN when all had been done before."""
        done = (event["time"] for event in self.events if event["event"] == "step" and event["time"] >= self.began)
        return float(next(done, math.nan) - self.began)

    @property
    def restarts(self) -> int:
        """How often the worker group was started again."""
        return sum(event["event"] == "start" for event in self.events) - 1

    @property
    def world_sizes(self) -> tuple[int, ...]:
        """Workers of each start: another number of them repeats the order of samples, and the losses to rounding."""
        return tuple(int(event["world_size"]) for event in self.events if event["event"] == "start")

    @property
    def skipped(self) -> tuple[str, ...]:
        """Checkpoints that a start of this call could not use, and why."""
        starts = (event for event in self.events if event["event"] == "start" and event["time"] >= self.began)
        return tuple(reason for event in starts for reason in event.get("skipped", ()))

    @property
    def replayed_differently(self) -> list[int]:
        """Steps that a restart repeated with another loss: empty when the resume is exact."""
        return replays_that_differ(list(self.events))

    def _steps(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "step"][WARM_UP_STEPS:]

    @property
    def step_s(self) -> list[float]:
        """Seconds of each step, warm-up left out: `data_s` and `compute_s` together."""
        return [event["data_s"] + event["compute_s"] for event in self._steps()]

    @property
    def data_s(self) -> list[float]:
        """Seconds that the device waited for the data of each step, warm-up left out."""
        return [event["data_s"] for event in self._steps()]

    @property
    def compute_s(self) -> list[float]:
        """Seconds of each step's forward pass, backward pass with its all-reduce, and optimiser, warm-up left out."""
        return [event["compute_s"] for event in self._steps()]

    @property
    def samples_per_s(self) -> float:
        """Throughput of all workers together, from the median step; NaN when every step was warm-up."""
        return self.spec.global_batch / median(self.step_s) if self.step_s else float("nan")

    @property
    def gpu_utilization(self) -> list[float]:
        """NVML's samples of rank 0's GPU: the part of a short while (0 to 1) in which a kernel ran. Empty on a CPU.

        Taken while steps are done: warm-up, checkpoints and evaluation are left out.
        """
        return [one for event in self.events if event["event"] == "utilization" for one in event["samples"]]

    @property
    def mfu(self) -> list[float]:
        """Model FLOPs utilization (0 to 1) of each step: FLOPs that it needed, over those the GPUs could have done.

        That is the rate of a large bfloat16 matrix product on the same GPU. Empty on a CPU; warm-up is left out.
        """
        end = [event for event in self.events if event["event"] == "end"][-1:]
        if not (self.gpus and end and "device_flops_per_s" in end[0]):
            return []
        needed = end[0]["flops_per_sample"] * self.spec.global_batch
        return [needed / (seconds * self.gpus * end[0]["device_flops_per_s"]) for seconds in self.step_s]


def largest_difference(one: TrainResult, other: TrainResult) -> float:
    """Return the largest distance between the losses of two runs at the same step.

    It is 0 between two NaN, and infinite between NaN and a number.

    Raises:
        ValueError: the runs did not do the same steps.
    """
    left, right = one.losses, other.losses
    if left.keys() != right.keys():
        raise ValueError(f"the runs did different steps: {len(left)} and {len(right)}")
    return max(_distance(left[step], right[step]) for step in left)


def _distance(left: float, right: float) -> float:
    if left.hex() == right.hex():  # so are two NaN, and two infinities, whose difference is NaN
        return 0.0
    distance = abs(left - right)
    return math.inf if math.isnan(distance) else distance
