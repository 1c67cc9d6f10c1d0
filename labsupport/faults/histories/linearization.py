"""The search for an order of the operations on one register that explains what every client was told.

Wing and Gong's search with Lowe's memory, as in Porcupine: take an operation that nothing else must precede, apply it
to the register, go on, and step back when the next return belongs to an operation that was not taken. A pair of (which
operations are done, value of the register) is never tried twice. An operation whose client never learned how it ended
may have happened at any time after its call, or not at all. The search gives up after a number of steps: the problem is
NP-complete.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

from labsupport.faults.histories.history import Completion, Operation

Moment = tuple[float, int]

_IMPOSSIBLE = object()


class Search:
    """One search for an order of the operations on one register."""

    def __init__(self, initial: Any, step_limit: int) -> None:
        self._initial = hashable(initial)
        self._step_limit = step_limit
        self.steps = 0

    def finds_an_order(self, operations: Iterable[Operation]) -> bool | None:
        """Say whether there is one; None where the steps ran out."""
        effects = that_matter(operations)
        line = _Line(effects)
        required = sum(1 << number for number, operation in enumerate(effects) if operation.succeeded)
        steps = [_step(operation) for operation in effects]
        value, done = self._initial, 0
        tried: set[tuple[int, Hashable]] = set()
        taken: list[tuple[int, Hashable]] = []
        place = line.first()
        while done & required != required:
            self.steps += 1
            if self.steps > self._step_limit:
                return None
            number = line.call_at(place)
            if number is None:  # a return, or the end: something that had to happen before it was not taken
                if not taken:
                    return False
                place, value = taken.pop()
                done &= ~(1 << line.put_back(place))
                place = line.after(place)
                continue
            following = steps[number](value)
            tried_before = (done | 1 << number, following) in tried
            if following is _IMPOSSIBLE or tried_before:
                place = line.after(place)
                continue
            done |= 1 << number
            tried.add((done, following))
            taken.append((place, value))
            value = following
            line.take_out(place)
            place = line.first()
        return True


class _Line:
    """Calls and returns in time, in a linked list from which an operation is taken out, and put back, at no cost."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        # Two operations at one time whose order is unknown are concurrent: calls sort before returns.
        moments = [(*started(op), 0, number) for number, op in enumerate(operations)]
        moments += [(*ended(op), 1, number) for number, op in enumerate(operations) if op.succeeded]
        moments.sort()
        self._call_at = [number if kind == 0 else None for _, _, kind, number in moments]
        self._return_of = {number: place for place, (_, _, kind, number) in enumerate(moments) if kind == 1}
        self._head, size = len(moments), len(moments) + 1
        self._call_at.append(None)  # the head, which is also the end
        self._next = [(place + 1) % size for place in range(size)]
        self._previous = [(place - 1) % size for place in range(size)]

    def first(self) -> int:
        return self._next[self._head]

    def after(self, place: int) -> int:
        return self._next[place]

    def call_at(self, place: int) -> int | None:
        """Return the number of the operation that is called here, or None for a return and for the end."""
        return self._call_at[place]

    def take_out(self, call: int) -> None:
        for place in self._places(call):
            self._next[self._previous[place]] = self._next[place]
            self._previous[self._next[place]] = self._previous[place]

    def put_back(self, call: int) -> int:
        for place in reversed(self._places(call)):
            self._next[self._previous[place]] = place
            self._previous[self._next[place]] = place
        number = self._call_at[call]
        assert number is not None, "Only calls are taken out"
        return number

    def _places(self, call: int) -> tuple[int, ...]:
        place = self._return_of.get(self._call_at[call])  # type: ignore[arg-type]
        return (call,) if place is None else (call, place)


def _step(operation: Operation) -> Callable[[Hashable], Hashable]:
    """Return what an operation makes of the register's value, or `_IMPOSSIBLE`."""
    if operation.action == "read":
        result = hashable(operation.result)
        return lambda value: value if value == result else _IMPOSSIBLE
    if operation.action == "write":
        written = hashable(operation.argument)
        return lambda _: written
    expected, new = map(hashable, operation.argument)
    if not operation.succeeded:
        return lambda value: new if value == expected else value
    if operation.result:
        return lambda value: new if value == expected else _IMPOSSIBLE
    return lambda value: value if value != expected else _IMPOSSIBLE


def that_matter(operations: Iterable[Operation]) -> list[Operation]:
    """Leave out what had no effect, and writes of unknown end whose value nobody can have met."""
    left = [
        operation
        for operation in operations
        if operation.completion is not Completion.FAILED and (operation.succeeded or operation.action != "read")
    ]
    if any(operation.action == "cas" for operation in left):
        return left
    met = {hashable(operation.result) for operation in left if operation.action == "read"}
    return [operation for operation in left if operation.succeeded or hashable(operation.argument) in met]


def hashable(value: Any) -> Hashable:
    """Return a value, or its text where it is a list or the like."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def started(operation: Operation) -> Moment:
    """Return when an operation was called."""
    return operation.started_s, operation.started_order


def ended(operation: Operation) -> Moment:
    """Return when an operation was over for certain, which is never where its client was not told."""
    return (operation.ended_s, operation.ended_order) if operation.succeeded else (math.inf, 0)  # type: ignore[return-value]
