"""A step is timed and its loss written without a wait, and without a word to the other workers, inside the step."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from labsupport.training.events import EventLog, losses, read_events
from labsupport.training.loop import Alone, run_worker
from labsupport.training.spec import TrainSpec
from labsupport.training.step_log import StepLog

SPEC = TrainSpec(width=4, norm="group", num_workers=1, global_batch=128, epochs=2, max_steps=14, checkpoint_every=4)
CHECKPOINTS = 5  # after steps 4, 8, 11 (the end of the epoch), 12 and 14


class Clock:
    """Marks of a device that is as far as the test says."""

    def __init__(self) -> None:
        self.now_s, self.done_s = 0.0, 0.0

    def mark(self) -> Clock.Mark:
        return self.Mark(self, self.now_s)

    class Mark:
        def __init__(self, clock: Clock, at_s: float) -> None:
            self.clock, self.at_s = clock, at_s

        def reached(self) -> bool:
            return self.clock.done_s >= self.at_s

        def wait(self) -> None:
            self.clock.done_s = max(self.clock.done_s, self.at_s)

        def seconds_since(self, earlier: Clock.Mark) -> float:
            assert self.reached(), "the time of a step was asked for while the device was at it"
            return self.at_s - earlier.at_s


class Group:
    """Rank `rank` of several whose shares are known."""

    device = torch.device("cpu")

    def __init__(self, rank: int, *others: list[float]) -> None:
        self.rank, self.others, self.world_size, self.sums = rank, others, 1 + len(others), 0

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        self.sums += 1
        total = values.clone()
        for rank, row in zip((r for r in range(self.world_size) if r != self.rank), self.others, strict=True):
            total[rank] += torch.tensor(row, dtype=values.dtype)
        return total


@pytest.fixture
def log(tmp_path):
    log = EventLog(tmp_path, rank=0)
    yield log
    log.close()


def one_step(steps: StepLog, clock: Clock, number: int, *, data_s: float = 0.0, compute_s: float = 0.0, loss=1.0):
    clock.now_s += data_s
    steps.begins()
    clock.now_s += compute_s
    steps.ends(number, 0, torch.tensor(loss))


def steps_in(folder) -> list[int]:
    return [event["step"] for event in read_events(folder) if event["event"] == "step"]


def test_waiting_for_data_and_computing_are_told_apart(log, tmp_path):
    clock = Clock()
    steps = StepLog(log, Group(0), clock.mark)
    one_step(steps, clock, 1, data_s=3.0, compute_s=0.5)
    steps.settle()
    clock.now_s += 100.0  # evaluation and a checkpoint
    steps.waits_for_data()
    one_step(steps, clock, 2, data_s=0.25, compute_s=4.0)
    steps.settle()
    events = [event for event in read_events(tmp_path) if event["event"] == "step"]
    assert [(event["data_s"], event["compute_s"]) for event in events] == [(3.0, 0.5), (0.25, 4.0)]


def test_a_step_is_written_once_the_device_has_done_it_and_no_later_step_waits_for_that(log, tmp_path):
    clock = Clock()
    steps = StepLog(log, Group(0), clock.mark)
    for number in (1, 2, 3):
        one_step(steps, clock, number, compute_s=1.0)
    assert steps_in(tmp_path) == []
    clock.done_s = 2.0
    one_step(steps, clock, 4, compute_s=1.0)
    assert steps_in(tmp_path) == [1, 2]
    steps.settle()
    assert steps_in(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_loss_of_a_step_is_the_mean_over_the_ranks_the_same_to_the_bit_on_each(tmp_path, rank):
    shares = [[0.1, 1e16], [0.2, 1.0], [0.3, -1e16]]  # in another order they have another sum
    means = [sum(column) / 3 for column in zip(*shares, strict=True)]
    log, clock = EventLog(tmp_path, rank=0), Clock()
    steps = StepLog(log, Group(rank, *(row for other, row in enumerate(shares) if other != rank)), clock.mark)
    for number, loss in enumerate(shares[rank], start=1):
        steps.begins()
        steps.ends(number, 0, torch.tensor(loss, dtype=torch.float64))
    assert steps.settle() == means[-1]
    log.close()
    assert losses(read_events(tmp_path)) == dict(enumerate(means, start=1))


def test_a_loss_that_is_not_a_number_on_one_rank_is_none_in_the_mean_and_leaves_the_others(log, tmp_path):
    steps = StepLog(log, Group(0, [float("nan"), 3.0]), Clock().mark)
    for number in (1, 2):
        steps.begins()
        steps.ends(number, 0, torch.tensor(1.0))
    assert steps.settle() == 2.0
    assert [loss.hex() for loss in losses(read_events(tmp_path)).values()] == ["nan", (2.0).hex()]


def test_each_checkpoint_forms_the_means_of_the_steps_since_the_last(log, tmp_path):
    steps = StepLog(log, Group(0))
    for number in (1, 2, 3):
        steps.begins()
        steps.ends(number, 0, torch.tensor(float(number)))
        if number > 1:
            steps.settle()
    formed = [(event["step"], len(event["losses"])) for event in read_events(tmp_path) if event["event"] == "losses"]
    assert formed == [(2, 2), (3, 1)]
    assert losses(read_events(tmp_path)) == {1: 1.0, 2: 2.0, 3: 3.0}


def test_the_workers_meet_before_a_checkpoint_and_not_in_a_step(log):
    group = Group(0)
    steps = StepLog(log, group)
    for number in range(1, 4):
        steps.begins()
        steps.ends(number, 0, torch.tensor(1.0))
    assert group.sums == 0
    steps.settle()
    assert group.sums == 1


class Counting(Alone):
    """Notes what a run asks of its group, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def sum(self, values):
        self.asked.append("sum")
        return super().sum(values)

    def broadcast_buffers(self, model):
        self.asked.append("buffers")

    def save(self, step, write):
        self.asked.append("checkpoint")


def test_a_run_sums_over_its_workers_once_per_checkpoint_and_once_per_evaluation(tmp_path):
    replica, log = Counting(), EventLog(tmp_path, rank=0)
    run_worker(SPEC, replica, log)
    log.close()
    between, judged = ["sum", "checkpoint"], ["sum", "buffers", "sum", "checkpoint"]
    assert replica.asked == [*between, *between, *judged, *between, *judged]


def test_nothing_is_read_from_a_device_while_a_step_is_timed(tmp_path, monkeypatch):
    timed, read = [], []

    def noting(original, name):
        def wrapped(self, *arguments, **keywords):
            if timed:
                read.append(name)
            return original(self, *arguments, **keywords)

        return wrapped

    for name in ("item", "tolist", "__float__", "__bool__", "__int__", "numpy", "cpu"):
        monkeypatch.setattr(torch.Tensor, name, noting(getattr(torch.Tensor, name), name))
    begins, ends = StepLog.begins, StepLog.ends

    def begin(self):
        begins(self)
        timed.append(True)

    def end(self, step, epoch, loss):
        timed.clear()
        ends(self, step, epoch, loss)

    monkeypatch.setattr(StepLog, "begins", begin)
    monkeypatch.setattr(StepLog, "ends", end)
    log = EventLog(tmp_path, rank=0)
    run_worker(replace(SPEC, max_steps=3), Alone(), log)
    log.close()
    assert steps_in(tmp_path) == [1, 2, 3]
    assert read == []
