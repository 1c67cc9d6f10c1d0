"""Is a register linearizable? Could all operations have happened one after another, each between its call and return?

Registers with different keys are judged one by one, since linearizability is local. `linearization` has the search.

A violation is explained by the few operations that cannot be ordered, and what the last of them could have returned.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labsupport.errors import LabsError
from labsupport.faults.histories.history import Judgement, Operation
from labsupport.faults.histories.linearization import Search, ended, hashable, started, that_matter

STEP_LIMIT = 200_000  # about a quarter of a second
ACTIONS = ("read", "write", "cas")


@dataclass(frozen=True)
class RegisterReport:
    """What is known about the registers of a history."""

    judgement: Judgement
    key: str = ""
    """The register that is violated, or the first one that stayed undecided."""
    operations: tuple[Operation, ...] = ()
    """The few that cannot be ordered, the last of them being the one that shows it."""
    possible: tuple[Any, ...] = ()
    """What the last of them could have returned instead."""
    steps: int = field(default=0, compare=False)

    @property
    def sentence(self) -> str:
        """The result on one line."""
        if self.judgement is Judgement.HOLDS:
            return "every register is linearizable"
        if self.judgement is Judgement.UNDECIDED:
            return f"register {self.key}: undecided after {self.steps:,} steps; use shorter histories or more keys"
        last = self.operations[-1]
        could = (
            f"only {' or '.join(map(repr, self.possible))} was possible" if self.possible else "nothing was possible"
        )
        return f"register {self.key} is not linearizable: {last.process}: {last} at {last.ended_s:.3f} s, but {could}"

    @property
    def explanation(self) -> str:
        """The sentence, and the operations that cannot be ordered, one a line."""
        return "\n".join([self.sentence, *(f"  {_span(operation)}" for operation in self.operations)])


def judge_register(
    operations: Iterable[Operation], *, initial: Any = None, step_limit: int = STEP_LIMIT
) -> RegisterReport:
    """Judge the `read`, `write` and `cas` operations on registers, each key by itself.

    Args:
        initial: what a register holds before the first write.
        step_limit: steps of the search, for each key, after which it is undecided.

    Raises:
        LabsError: an operation is none of the three, or a cas without (expected, new).
    """
    by_key: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.action not in ACTIONS:
            raise LabsError(f"operation {operation.call!r}: a register knows {', '.join(ACTIONS)}")
        if operation.action == "cas" and (
            not isinstance(operation.argument, (tuple, list)) or len(operation.argument) != 2
        ):
            raise LabsError(f"operation {operation.call!r}: cas takes the pair (expected, new)")
        by_key.setdefault(operation.key, []).append(operation)
    undecided = None
    for key, on_key in by_key.items():
        search = Search(initial, step_limit)
        linearizable = search.finds_an_order(on_key)
        if linearizable is False:
            return _explained(key, on_key, initial, step_limit)
        if linearizable is None and undecided is None:
            undecided = RegisterReport(Judgement.UNDECIDED, key, steps=search.steps)
    return undecided or RegisterReport(Judgement.HOLDS)


def _explained(key: str, operations: Sequence[Operation], initial: Any, step_limit: int) -> RegisterReport:
    def impossible(some: Iterable[Operation]) -> bool:
        return Search(initial, step_limit).finds_an_order(some) is False

    returns = sorted((op for op in operations if op.succeeded), key=ended)
    # Once a beginning of the history is impossible, every longer one is.
    first = bisect.bisect_left(returns, True, hi=len(returns) - 1, key=lambda op: impossible(_until(operations, op)))
    last = returns[first]
    beginning = _until(operations, last)
    few = _fewest(beginning, last, impossible)
    possible = _possible_answers(beginning, last, initial, step_limit)
    return RegisterReport(Judgement.VIOLATED, key, tuple(few), tuple(possible))


def _possible_answers(operations: Sequence[Operation], last: Operation, initial: Any, step_limit: int) -> list[Any]:
    """Return what the last operation could have returned, the latest value first."""
    answers = [not last.result] if last.action == "cas" else _not_overwritten(operations, last, initial)
    return [
        answer
        for answer in {hashable(value): value for value in answers}.values()
        if Search(initial, step_limit).finds_an_order(
            [replace(last, result=answer) if op is last else op for op in operations]
        )
    ]


def _not_overwritten(operations: Sequence[Operation], last: Operation, initial: Any) -> list[Any]:
    """Return the values that no write replaced for certain before a read began."""
    before = [op for op in operations if op.action == "write" and op.succeeded and ended(op) < started(last)]
    newest = max(map(started, before), default=(-math.inf, 0))
    writers = sorted((op for op in operations if op.action != "read"), key=started, reverse=True)
    values = [op.argument if op.action == "write" else op.argument[1] for op in writers if newest <= ended(op)]
    return values if before else [*values, initial]


def _until(operations: Iterable[Operation], last: Operation) -> list[Operation]:
    """Return what had been called when an operation returned, later returns being still to come."""
    now = ended(last)
    return [
        op if not op.succeeded or ended(op) <= now else replace(op, ended_s=None, result=None)
        for op in operations
        if started(op) <= now
    ]


def _fewest(
    operations: Iterable[Operation], last: Operation, impossible: Callable[[Iterable[Operation]], bool]
) -> list[Operation]:
    """Drop operations, many at a time and then one by one, as long as the rest still cannot be ordered.

    What is dropped must not be what the rest needs: without a write, a read of its value would be a violation itself.
    """
    left = sorted((op for op in that_matter(operations) if op is not last), key=started)
    size = len(left)
    while left:
        size = max(1, size // 2)
        dropped = False
        for first in range(0, len(left), size)[::-1]:
            chunk, rest = left[first : first + size], left[:first] + left[first + size :]
            kept: list[Operation] = []
            while needed := [op for op in chunk if not _droppable(op, [*rest, *kept, last])]:
                kept += needed
                chunk = [op for op in chunk if not any(op is other for other in needed)]
            fewer = sorted(rest + kept, key=started)
            if len(fewer) < len(left) and impossible([*fewer, last]):
                left, dropped = fewer, True
        if size == 1 and not dropped:
            break
    return [*left, last]


def _droppable(operation: Operation, rest: Iterable[Operation]) -> bool:
    if operation.action == "read" or (operation.action == "cas" and operation.succeeded and not operation.result):
        return True
    value = hashable(operation.argument if operation.action == "write" else operation.argument[1])
    for other in rest:
        if other.action == "read" and hashable(other.result) == value:
            return False
        if other.action == "cas" and (hashable(other.argument[0]) == value or (other.succeeded and not other.result)):
            return False
    return True


def _span(operation: Operation) -> str:
    end = "..." if operation.ended_s is None else f"{operation.ended_s:.3f}"
    return f"{operation.started_s:.3f} to {end} s  {operation.process}: {operation}"
