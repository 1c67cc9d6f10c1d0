"""What clients asked and were told, and what a guarded resource accepted: the facts that history checkers judge.

The same records come from the virtual-time world (`node.invoke`, `node.complete`, `node.accepted`) and from a drill on
real processes, which stamps them with one machine's monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from labsupport.faults.plain import text_of


class Completion(StrEnum):
    """How an operation ended, as its client knows it."""

    OK = "ok"
    FAILED = "failed"
    """It certainly had no effect."""
    UNKNOWN = "unknown"
    """It may have had its effect, or have it later: a time-out, or a client that crashed."""


class Judgement(StrEnum):
    """What a checker says of a history."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Operation:
    """One operation of one client, from its call to its return."""

    process: str
    action: str
    """`read`, `write` and `cas` on a register, `add` and `read` on a set."""
    key: str
    argument: Any
    """What is written or added; for `cas`, the pair (expected, new)."""
    started_s: float
    ended_s: float | None = None
    """None while it is pending, and for ever where the client crashed."""
    result: Any = None
    """What a read returned; for `cas`, whether it swapped."""
    completion: Completion = Completion.UNKNOWN
    started_order: int = 0
    """Breaks ties between equal times; operations whose order is unknown are concurrent."""
    ended_order: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the client was told that it is done."""
        return self.completion is Completion.OK and self.ended_s is not None

    @property
    def call(self) -> str:
        """The call in words, such as `write x = 1`."""
        name = f"{self.action} {self.key}".rstrip()
        if self.action == "cas" and isinstance(self.argument, (tuple, list)) and len(self.argument) == 2:
            return f"{name} from {text_of(self.argument[0])} to {text_of(self.argument[1])}"
        return name if self.argument is None else f"{name} = {text_of(self.argument)}"

    def __str__(self) -> str:
        if self.ended_s is None:
            return f"{self.call}: pending"
        if self.completion is not Completion.OK:
            return f"{self.call}: {self.completion}"
        return f"{self.call} -> {text_of(self.result)}" if self.action in ("read", "cas") else f"{self.call}: ok"


@dataclass(frozen=True)
class Accepted:
    """A write that the guard of a resource let through."""

    resource: str
    epoch: int
    """The fencing token that came with it."""
    writer: str
    at_s: float = 0.0


class History:
    """Operations and accepted writes in the order in which they were recorded."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.accepts: list[Accepted] = []
        self._order = 0

    def invoke(self, process: str, action: str, key: str, argument: Any, at_s: float) -> int:
        """Record a call; return its number."""
        self._order += 1
        self.operations.append(Operation(process, action, key, argument, at_s, started_order=self._order))
        return len(self.operations) - 1

    def complete(self, number: int, result: Any, completion: Completion, at_s: float) -> None:
        """Record the return of a call.

        Raises:
            ValueError: it has returned already.
        """
        operation = self.operations[number]
        if operation.ended_s is not None:
            raise ValueError(f"operation {number} ({operation}): has returned already; complete each operation once")
        self._order += 1
        self.operations[number] = replace(
            operation, ended_s=at_s, result=result, completion=Completion(completion), ended_order=self._order
        )

    def operation(self, number: int) -> Operation:
        """Return an operation as it stands."""
        return self.operations[number]

    def accept(self, resource: str, epoch: int, writer: str, at_s: float) -> None:
        """Record that a write was let through."""
        self.accepts.append(Accepted(resource, epoch, writer, at_s))
