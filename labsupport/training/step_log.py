"""What each step took and lost, written down without a wait and without communication inside a step.

A GPU works through a queue: reading a loss, or the time, waits until the queue is empty, and then the device is idle
while the host prepares the next step. So a step leaves marks in the queue and a copy of its loss on the way to the
host, and its event is written at the end of a later step that finds them there. On a CPU that is at once.

Each rank writes the loss of its own share. The mean over all workers, which is the loss of the step, is formed where
the group meets anyway: before each checkpoint, for all steps since the last one, from the shares in the order of the
ranks. A step that is killed before that is done again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from labsupport.training.device_use import UtilizationMeter
from labsupport.training.events import EventLog
from labsupport.training.result import WARM_UP_STEPS

if TYPE_CHECKING:
    import torch


class Mark(Protocol):
    """A point in the work of a device."""

    def reached(self) -> bool:
        """Say whether the device has come this far."""

    def wait(self) -> None:
        """Return once it has."""

    def seconds_since(self, earlier: Self) -> float:
        """Return the time between two points that were reached."""


class HostMark:
    """The CPU has done a thing when it says so."""

    def __init__(self) -> None:
        self._at_s = time.perf_counter()

    def reached(self) -> bool:
        return True

    def wait(self) -> None:
        """It is there."""

    def seconds_since(self, earlier: HostMark) -> float:
        return self._at_s - earlier._at_s


class CudaMark:
    """An entry in the queue of the current GPU."""

    def __init__(self) -> None:
        import torch

        self._event = torch.cuda.Event(enable_timing=True)
        self._event.record()

    def reached(self) -> bool:
        return bool(self._event.query())

    def wait(self) -> None:
        self._event.synchronize()

    def seconds_since(self, earlier: CudaMark) -> float:
        return float(earlier._event.elapsed_time(self._event)) / 1e3  # milliseconds


class Group(Protocol):
    """What forming a mean needs to know of the workers; labsupport.training.loop.Replica has more."""

    rank: int
    world_size: int
    device: torch.device

    def sum(self, values: torch.Tensor) -> torch.Tensor: ...


@dataclass(frozen=True)
class _Step:
    number: int
    epoch: int
    loss: torch.Tensor  # of this rank's share, on its way to the host
    waits: Any  # marks
    begins: Any
    ends: Any
    loss_arrives: Any


class StepLog:
    """Writes one `step` event per step, and a `losses` event with the means over all workers when told to settle.

    A step event has `data_s`, from the end of the step before until the batch is on the device, and `compute_s`,
    forward pass, backward pass and optimiser: with several workers that includes the all-reduce of the gradients, which
    overlaps with the backward pass. On a GPU both are times of the device: a batch that the host prepares while the
    device computes costs no `data_s`. The loss is that of the rank's own share.
    """

    def __init__(self, log: EventLog, group: Group, mark: Callable[[], Mark] | None = None) -> None:
        self._log, self._group = log, group
        self._mark: Callable[[], Any] = mark or (CudaMark if group.device.type == "cuda" else HostMark)
        self._pending: deque[_Step] = deque()
        self._shares: list[float] = []  # losses whose mean is not formed yet
        self._last = self._done_here = 0
        self._utilization = UtilizationMeter(group.device)
        self.waits_for_data()

    def waits_for_data(self) -> None:
        """Mark that from here on the device waits for the next batch."""
        self._waits = self._mark()

    def begins(self) -> None:
        """Mark that the batch is there."""
        self._begins = self._mark()

    def ends(self, step: int, epoch: int, loss: torch.Tensor) -> None:
        """Mark the end of a step, and write the steps that the device has done."""
        ends = self._mark()
        on_host = loss.detach().to("cpu", non_blocking=True)
        self._pending.append(_Step(step, epoch, on_host, self._waits, self._begins, ends, self._mark()))
        while self._pending and self._pending[0].loss_arrives.reached():
            self._write(self._pending.popleft())
        self._done_here += 1
        if self._done_here >= WARM_UP_STEPS:
            self._utilization.begin()
        self.waits_for_data()

    def settle(self) -> float:
        """Write every step so far and the means over all workers; return the last. Every rank calls it alike."""
        import torch

        while self._pending:
            self._pending[0].loss_arrives.wait()
            self._write(self._pending.popleft())
        if samples := self._utilization.end():
            self._log.emit("utilization", step=self._last, samples=samples)
        # Each rank fills its own row, so the sum gathers the rows as they are, whatever the order of its additions.
        table = torch.zeros(self._group.world_size, len(self._shares), dtype=torch.float64)
        table[self._group.rank] = torch.tensor(self._shares, dtype=torch.float64)
        rows = self._group.sum(table.to(self._group.device)).tolist()
        # Equal shares, so the mean of the ranks' means is the mean over the global batch.
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        self._log.emit("losses", step=self._last, losses=[mean.hex() for mean in means])
        self._shares.clear()
        return means[-1]

    def _write(self, step: _Step) -> None:
        loss = float(step.loss)
        self._shares.append(loss)
        self._last = step.number
        self._log.emit(
            "step", step=step.number, epoch=step.epoch, loss=loss.hex(), data_s=step.begins.seconds_since(step.waits),
            compute_s=step.ends.seconds_since(step.begins),
        )  # fmt: skip
