"""What runs on a node, and what it sees of the world.

A program is plain Python: three methods that are called with its node, one event at a time, and take no virtual time of
their own. What it keeps in its attributes is lost in a crash; what it fsynced to `node.disk` is there when it starts
again.

    class Echo(Program):
        def on_message(self, node, message, sender):
            node.send(sender, message)

Limitations: no `async def`; a conversation with time-outs is a message, a timer and a field that says what is awaited.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from labsupport.errors import LabsError
from labsupport.faults.histories.history import Completion
from labsupport.faults.plain import copied, text_of
from labsupport.faults.virtual.disk import Disk
from labsupport.faults.virtual.log import Happened

if TYPE_CHECKING:
    from labsupport.faults.virtual.machine import Machine
    from labsupport.faults.virtual.world import World

QUOTE = "'"


class Program:
    """What a node runs; a fresh one is made for every start."""

    def on_start(self, node: Node) -> None:
        """Begin, for the first time or after a crash."""

    def on_message(self, node: Node, message: Any, sender: str) -> None:
        """Take a message."""

    def on_timer(self, node: Node, name: Any) -> None:
        """Take the end of a timer."""


class Node:
    """A program's view: its name and peers, clocks, timers, disk, random numbers, and what it tells its observers."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.name = machine.name
        self.disk = Disk(self._before_disk)
        self.random = random.Random()  # noqa: S311 - seeded at each start, from the world's seed
        self._world = world
        self._machine = machine

    @property
    def peers(self) -> tuple[str, ...]:
        """The names of the other nodes, in the order in which they were added."""
        return tuple(name for name in self._world.machines if name != self.name)

    @property
    def now_s(self) -> float:
        """What this node's wall clock shows; it can be wrong and it can jump."""
        return self._machine.clock.wall_s(self._world.now_s)

    @property
    def monotonic_s(self) -> float:
        """What this node's monotonic clock shows; it can drift and never jumps."""
        return self._machine.clock.monotonic_s(self._world.now_s)

    def send(self, to: str, message: Any, *, size: int | None = None) -> None:
        """Send a copy of a message; nothing tells whether it arrives.

        Args:
            size: bytes on the wire, where they differ from those of the message.

        Raises:
            LabsError: there is no such node, or the message cannot be copied.
        """
        self._machine.before_action()
        self._world.carry(self.name, to, message, size)

    def after(self, delay_s: float, name: Hashable) -> None:
        """Call `on_timer` with this name after a delay by the node's clock; a pending timer of that name is replaced.

        Raises:
            LabsError: the delay is negative or no number.
        """
        if not 0 <= delay_s < float("inf"):
            raise LabsError(f"node {self.name}: after({delay_s!r}, {name!r}): a delay is a number of seconds from 0 up")
        self._machine.set_timer(delay_s, name)

    def cancel(self, name: Hashable) -> None:
        """Drop a pending timer; one that is not pending is no mistake."""
        self._machine.timers.pop(name, None)

    def note(self, text: object) -> None:
        """Write a remark into the event log and the timeline."""
        if self._world.recording:
            self._world.record(Happened.NOTE, self.name, str(text))

    def publish(self, **facts: Any) -> None:
        """Show facts about this node to invariants and in the timeline, such as `role="leader"`.

        A crash withdraws them. They are what the node believes, not what is so.
        """
        shown = self._world.facts[self.name]
        changed = {key: value for key, value in facts.items() if key not in shown or shown[key] != value}
        if changed:
            shown.update(copied(changed))
            self._world.changed = True
            if self._world.recording:
                words = (f"{key} = {text_of(value).strip(QUOTE)}" for key, value in shown.items())
                self._world.record(Happened.STATE, self.name, ", ".join(words))

    def invoke(self, action: str, key: str = "", argument: Any = None) -> int:
        """Begin an operation of a client in the world's history, and return its number."""
        history = self._world.history
        number = history.invoke(self.name, action, key, copied(argument), self._world.now_s)
        self._world.changed = True
        if self._world.recording:
            self._world.record(Happened.INVOKE, self.name, history.operation(number).call, number=number + 1)
        return number

    def complete(self, number: int, result: Any = None, completion: Completion = Completion.OK) -> None:
        """End an operation: done, known to have failed without effect, or not known which."""
        history = self._world.history
        history.complete(number, copied(result), completion, self._world.now_s)
        self._world.changed = True
        if self._world.recording:
            self._world.record(Happened.COMPLETE, self.name, str(history.operation(number)), number=number + 1)

    def accepted(self, resource: str, epoch: int, writer: str) -> None:
        """Record that this node, which guards a resource, let a writer write."""
        self._world.history.accept(resource, epoch, writer, self._world.now_s)
        self._world.changed = True
        if self._world.recording:
            to = "" if resource == self.name else f" to {resource}"
            self._world.record(Happened.ACCEPT, self.name, f"{writer}'s write{to} in epoch {epoch}")

    def _before_disk(self, action: str) -> None:
        self._machine.before_action()
        if self._world.recording:
            self._world.record(Happened.DISK, self.name, action)

    def __deepcopy__(self, _: object) -> Node:
        raise TypeError("it holds a node, which cannot travel")

    def __repr__(self) -> str:
        return f"<node {self.name}>"
