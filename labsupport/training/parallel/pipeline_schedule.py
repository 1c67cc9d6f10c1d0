"""Pipeline schedules as data, and a validator that says whether one can run and what it holds in memory.

A schedule gives each stage its list of actions in order: forward or backward of a micro-batch. Forward of micro-batch m
on stage s needs its forward on s - 1; backward on s needs its backward on s + 1, and its own forward. The validator
executes the lists as a pipeline would, every stage one action per tick as soon as its input is there, and so finds a
deadlock, a missing or repeated action, the most activations a stage holds, and the share of idle ticks (the bubble).

GPipe (Huang et al. 2019) runs all forwards, then all backwards, and holds every micro-batch's activations. 1F1B
(Narayanan et al. 2021, PipeDream-flush) has the same bubble, (p - 1)/(m + p - 1), and holds at most p of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from labsupport.errors import LabsError


class Pass(StrEnum):
    """Which half of a micro-batch's work."""

    FORWARD = "F"
    BACKWARD = "B"


@dataclass(frozen=True)
class Action:
    """One micro-batch's forward or backward on a stage."""

    part: Pass
    micro_batch: int

    def __str__(self) -> str:
        return f"{self.part}{self.micro_batch}"


Schedule = Sequence[Sequence[Action]]  # the actions of each stage, first stage first


class ScheduleError(LabsError):
    """A schedule that cannot be run: the message names stage and action."""


@dataclass(frozen=True)
class PipelineRun:
    """What a valid schedule does, in ticks of one action each."""

    ticks: int
    peak_activations: tuple[int, ...]
    """Micro-batches whose activations each stage holds at most."""
    started: tuple[tuple[int, ...], ...]
    """The tick at which each action of each stage began."""
    stages: int
    micro_batches: int

    @property
    def bubble(self) -> float:
        """Share of stage-ticks in which nothing ran."""
        return 1 - 2 * self.micro_batches / self.ticks


def bubble_fraction(stages: int, micro_batches: int) -> float:
    """Return the bubble of GPipe and of 1F1B: (p - 1)/(m + p - 1)."""
    _check(stages, micro_batches)
    return (stages - 1) / (micro_batches + stages - 1)


def gpipe(stages: int, micro_batches: int) -> list[list[Action]]:
    """Return GPipe's schedule: all forwards, then all backwards."""
    _check(stages, micro_batches)
    forwards = [Action(Pass.FORWARD, m) for m in range(micro_batches)]
    backwards = [Action(Pass.BACKWARD, m) for m in range(micro_batches)]
    return [forwards + backwards for _ in range(stages)]


def one_forward_one_backward(stages: int, micro_batches: int) -> list[list[Action]]:
    """Return the 1F1B schedule: p - s - 1 forwards to warm stage s up, then one forward and one backward in turn."""
    _check(stages, micro_batches)
    schedule = []
    for stage in range(stages):
        warm_up = min(stages - stage - 1, micro_batches)
        actions = [Action(Pass.FORWARD, m) for m in range(warm_up)]
        for m in range(micro_batches - warm_up):
            actions += [Action(Pass.FORWARD, warm_up + m), Action(Pass.BACKWARD, m)]
        actions += [Action(Pass.BACKWARD, m) for m in range(micro_batches - warm_up, micro_batches)]
        schedule.append(actions)
    return schedule


def validate(schedule: Schedule) -> PipelineRun:
    """Execute a schedule tick by tick.

    Raises:
        ScheduleError: an action is missing or there twice, a backward stands before its forward, or the stages wait for
            each other for ever.
    """
    stages = len(schedule)
    micro_batches = _assert_complete(schedule)
    done: list[set[Action]] = [set() for _ in range(stages)]
    place, held, peak = [0] * stages, [0] * stages, [0] * stages
    started: list[list[int]] = [[] for _ in range(stages)]
    tick = 0
    while any(place[stage] < len(schedule[stage]) for stage in range(stages)):
        running = []
        for stage in range(stages):
            if place[stage] < len(schedule[stage]):
                action = schedule[stage][place[stage]]
                if _input_is_there(stage, action, done):
                    running.append((stage, action))
        if not running:
            raise ScheduleError(_deadlock(schedule, place, done))
        for stage, action in running:  # all of a tick at once: what one finishes, another can use in the next
            done[stage].add(action)
            place[stage] += 1
            started[stage].append(tick)
            held[stage] += 1 if action.part is Pass.FORWARD else -1
            peak[stage] = max(peak[stage], held[stage])
        tick += 1
    return PipelineRun(tick, tuple(peak), tuple(map(tuple, started)), stages, micro_batches)


def _input_is_there(stage: int, action: Action, done: Sequence[set[Action]]) -> bool:
    if action.part is Pass.FORWARD:
        return stage == 0 or action in done[stage - 1]
    last = stage == len(done) - 1
    return Action(Pass.FORWARD, action.micro_batch) in done[stage] and (last or action in done[stage + 1])


def _assert_complete(schedule: Schedule) -> int:
    if not schedule or not schedule[0]:
        raise ScheduleError("the schedule has no stage, or the first stage has nothing to do")
    micro_batches = max(action.micro_batch for action in schedule[0]) + 1
    wanted = {Action(part, m) for part in Pass for m in range(micro_batches)}
    for stage, actions in enumerate(schedule):
        repeated = sorted({str(action) for action in actions if list(actions).count(action) > 1})
        if repeated:
            raise ScheduleError(f"stage {stage} does {', '.join(repeated)} more than once")
        if odd := sorted(map(str, wanted ^ set(actions))):
            raise ScheduleError(f"stage {stage} misses or does not know {', '.join(odd)}")
        seen: set[int] = set()
        for action in actions:
            if action.part is Pass.FORWARD:
                seen.add(action.micro_batch)
            elif action.micro_batch not in seen:
                raise ScheduleError(f"stage {stage} does {action} before F{action.micro_batch}")
    return micro_batches


def _deadlock(schedule: Schedule, place: Sequence[int], done: Sequence[set[Action]]) -> str:
    waiting = [
        f"stage {stage} waits to do {schedule[stage][place[stage]]}"
        for stage in range(len(schedule))
        if place[stage] < len(schedule[stage])
    ]
    return f"deadlock after {sum(map(len, done))} actions: {'; '.join(waiting)}"


def _check(stages: int, micro_batches: int) -> None:
    if stages < 1 or micro_batches < 1:
        raise LabsError(f"{stages} stages and {micro_batches} micro-batches: at least 1 of each is needed")
