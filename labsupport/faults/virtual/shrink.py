"""The smallest schedule that still shows the same failure, so that a person reads two faults and not twenty.

First faults are dropped, many at a time and then one by one; then those that are left are merged, narrowed to fewer
nodes and directions, shortened, and given round numbers. Whatever changes, the run must break the same invariant as
before. The result is 1-minimal: without any one of its faults the failure is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from labsupport.faults.virtual.failure import Cause, Failure
from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind
from labsupport.faults.virtual.scenario import Run, Scenario
from labsupport.faults.virtual.schedule import Schedule

MOST_RUNS = 400
HALVINGS = 6
GRIDS_S = (1.0, 0.5, 0.1, 0.05, 0.01)


@dataclass(frozen=True)
class Shrunk:
    """A failing schedule, made as small as the runs allowed."""

    schedule: Schedule
    failure: Failure
    runs: int
    """How many runs it took."""
    minimal: bool
    """Whether it is known that no fault can be dropped; False where the runs were used up."""


def shrink(scenario: Scenario, failing: Run, *, most_runs: int = MOST_RUNS) -> Shrunk:
    """Make a failing schedule smaller.

    Raises:
        AssertionError: the run has not failed.
    """
    assert failing.failure is not None, f"Only a failing run can be shrunk; seed {failing.seed} survived"
    return _Shrinking(scenario, failing.schedule, failing.failure, most_runs).shrunk()


class _RunsUsedUpError(Exception):
    """There are no runs left."""


class _Shrinking:
    """The smallest failing faults found so far, and the runs left to find smaller ones."""

    def __init__(self, scenario: Scenario, schedule: Schedule, failure: Failure, most_runs: int) -> None:
        self._scenario = scenario
        self._schedule = schedule
        self._runs_left = self._most_runs = most_runs
        self._known: dict[tuple[Fault, ...], Failure | None] = {}
        self._faults = schedule.faults
        self._failure = failure
        # Rounding and merging leave the tail as quiet as it was.
        self._quiet_from_s = max((fault.ends_s for fault in schedule.faults), default=0.0)
        # A smaller schedule may break it a little later; a failure at the end shows only there.
        self._until_s = None if failure.cause is Cause.END else failure.at_s * 1.25 + 1.0

    def shrunk(self) -> Shrunk:
        minimal = False
        try:
            # What begins after the failure cannot have caused it.
            self._try([fault for fault in self._faults if fault.at_s <= self._failure.at_s])
            dropped = True
            while dropped:
                self._drop()
                before = self._faults
                self._merge()
                self._move_earlier()
                for simpler in (_fewer_nodes, _shorter, _rounder):
                    self._simplify(simpler)
                # Only a fault that was changed can have made another one unnecessary.
                dropped = self._faults != before and self._drop()
            minimal = True
        except _RunsUsedUpError:
            pass
        schedule = replace(self._schedule, faults=self._faults)
        return Shrunk(schedule, self._failure, self._most_runs - self._runs_left, minimal)

    def _try(self, faults: Sequence[Fault]) -> bool:
        """Keep these faults if they still fail in the same way."""
        candidate = tuple(sorted(faults, key=lambda fault: fault.at_s))
        if any(fault.ends_s > self._quiet_from_s for fault in candidate):
            return False
        if candidate not in self._known:
            if self._runs_left == 0:
                raise _RunsUsedUpError
            self._runs_left -= 1
            schedule = replace(self._schedule, faults=candidate)
            failure = self._scenario.replay(schedule, recording=False, until_s=self._until_s).failure
            self._known[candidate] = failure
        failure = self._known[candidate]
        if failure is None or failure.bug != self._failure.bug:
            return False
        self._faults, self._failure = candidate, failure
        return True

    def _drop(self) -> bool:
        """Drop faults until none can be dropped; say whether any was."""
        before, size = len(self._faults), max(1, len(self._faults) // 2)
        while True:
            dropped = False
            for start in range(0, len(self._faults), size)[::-1]:
                dropped = self._try(self._faults[:start] + self._faults[start + size :]) or dropped
            if size == 1 and not dropped:
                return len(self._faults) < before
            size = max(1, size // 2)

    def _merge(self) -> None:
        """Replace two faults of one kind and place by one that spans both."""
        for first, second in combinations(self._faults, 2):
            there = first in self._faults and second in self._faults  # none of them was merged before
            if there and replace(second, at_s=first.at_s, duration_s=first.duration_s) == first:
                both = replace(first, duration_s=round(max(first.ends_s, second.ends_s) - first.at_s, 3))
                self._try([*(fault for fault in self._faults if fault not in (first, second)), both])

    def _move_earlier(self) -> None:
        """Move all faults together towards the beginning: the same failure, after less time and fewer events."""
        for _ in range(HALVINGS):
            shift_s = self._faults[0].at_s / 2 if self._faults else 0.0
            if shift_s < GRIDS_S[0]:
                return
            self._try([replace(fault, at_s=round(fault.at_s - shift_s, 3)) for fault in self._faults])

    def _simplify(self, simpler: Callable[[Fault], Iterator[Fault]]) -> None:
        """Take the first simpler form of each fault that still fails, again and again."""
        for number in range(len(self._faults)):
            for _ in range(HALVINGS):
                fault = self._faults[number]
                others = [other for other in self._faults if other is not fault]
                if not any(self._try([*others, form]) for form in simpler(fault)):
                    break


def _fewer_nodes(fault: Fault) -> Iterator[Fault]:
    if fault.both_ways:
        yield replace(fault, both_ways=False)
        yield replace(fault, both_ways=False, nodes=fault.towards, towards=fault.nodes)
    for nodes in _one_less(fault.nodes):
        yield replace(fault, nodes=nodes)
    for towards in _one_less(fault.towards):
        yield replace(fault, towards=towards)


def _one_less(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [tuple(other for other in names if other != name) for name in names] if len(names) > 1 else []


def _shorter(fault: Fault) -> Iterator[Fault]:
    half_s = round(fault.duration_s / 2, 3)
    if half_s >= GRIDS_S[-1]:
        yield replace(fault, duration_s=half_s)
        yield replace(fault, at_s=round(fault.ends_s - half_s, 3), duration_s=half_s)


def _rounder(fault: Fault) -> Iterator[Fault]:
    if fault.kind is FaultKind.CRASH and fault.amount:
        yield replace(fault, amount=0.0)
    for grid_s in GRIDS_S:
        at_s = _to_grid(fault.at_s, grid_s)
        duration_s = max(grid_s, _to_grid(fault.duration_s, grid_s))
        for times in ((at_s, duration_s), (at_s, fault.duration_s), (fault.at_s, duration_s)):
            form = replace(fault, at_s=times[0], duration_s=times[1])
            if _digits(form) < _digits(fault):
                yield form
    if FACTS[fault.kind].amount and fault.amount:
        amount = float(f"{fault.amount:.1g}")
        lowest, highest = FACTS[fault.kind].allowed
        if amount != fault.amount and lowest <= amount <= highest:
            yield replace(fault, amount=amount)


def _to_grid(value: float, grid: float) -> float:
    return round(round(value / grid) * grid, 3)


def _digits(fault: Fault) -> int:
    return len(f"{fault.at_s:g}") + len(f"{fault.duration_s:g}")
