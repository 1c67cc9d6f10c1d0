"""The machine under a program: it can crash, pause and be slow, and takes one event at a time.

Faults act here; a program sees only its `Node`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from labsupport.faults.plain import text_of
from labsupport.faults.virtual.clock import Clock
from labsupport.faults.virtual.log import Happened
from labsupport.faults.virtual.node import Node

if TYPE_CHECKING:
    from labsupport.faults.virtual.world import World

STALE = object()  # what an event answers that turned out to be nothing: a timer cancelled or set again


class Crash(BaseException):
    """The machine crashes in the middle of a handler; no `Exception`, so that `except Exception` goes down with it."""


class Machine:
    """One machine: its clocks, its disk, its timers, and the program while it is up."""

    def __init__(self, world: World, name: str, program: Callable[[], Any], service_s: float) -> None:
        self.name = name
        self.clock = Clock()
        self.program: Any = None
        """What runs; None while the machine is down."""
        self.timers: dict[Hashable, int] = {}
        """The pending timers, each with the number of its setting."""
        self.slower_by_s = 0.0
        """How much longer every event occupies the machine than usual."""
        self._world = world
        self._make_program = program
        self._service_s = service_s
        self._actions_left: int | None = None
        self._starts = 0
        self._timers_set = 0
        self._node = Node(world, self)
        self.disk = self._node.disk
        self._forget()

    @property
    def up(self) -> bool:
        """Whether a program runs, or is paused."""
        return self.program is not None

    # Faults

    def start(self) -> None:
        """Start a fresh program; nothing happens where one runs."""
        if not self.up:
            self._starts += 1
            self._node.random.seed(f"{self._world.seed}/node/{self.name}/{self._starts}")
            self._world.record(Happened.START, self.name, "starts" if self._starts == 1 else "starts again")
            self._call(self._begin)

    def crash(self) -> None:
        """Lose everything that is not durable; nothing happens where no program runs."""
        if self.up:
            self.program = None
            self._forget()
            self.disk.crash()
            self._world.facts[self.name] = {}
            self._world.changed = True
            self._world.record(Happened.CRASH, self.name, "crashes")

    def crash_before(self, action: int | None) -> None:
        """Crash in a handler, right before the so many-th message or disk operation from now on; None: do not."""
        self._actions_left = action

    def pause(self, paused: bool) -> None:
        """Stop taking events, or go on with those that have been waiting; a machine that is down cannot be paused."""
        self._paused = paused and self.up
        if not paused and self._inbox and not self._serving:
            self._begin_service()

    # Events

    def deliver(self, message: Any, sender: str, number: int) -> None:
        """Take a message from the network."""
        if not self.up:
            self._world.record(Happened.LOST, self.name, "the node is down", sender, number)
        elif self._paused or self._serving or self._service_s or self.slower_by_s:
            self._queue((sender, message, number))
        else:
            self._take_message(message, sender, number)

    def set_timer(self, delay_s: float, name: Hashable) -> None:
        """Set a timer by the machine's clock."""
        self._timers_set += 1
        self.timers[name] = self._timers_set
        self._world.call_at(self._world.now_s + delay_s / self.clock.rate, self.end_timer, name, self._timers_set)

    def end_timer(self, name: Hashable, number: int) -> object:
        """Take the end of a timer, unless it was cancelled or set again."""
        if self.timers.get(name) != number:
            return STALE
        if self._paused or self._serving or self._service_s or self.slower_by_s:
            self._queue((None, name, number))
        else:
            self._take_timer(name, number)
        return None

    def before_action(self) -> None:
        """Come to a point in a handler at which a crash may hit.

        Raises:
            Crash: it hits here.
        """
        if self._actions_left is not None:
            self._actions_left -= 1
            if self._actions_left <= 0:
                raise Crash

    def _begin(self) -> None:
        self.program = self._make_program()
        self.program.on_start(self._node)

    def _take_message(self, message: Any, sender: str, number: int) -> None:
        if self._world.recording:
            self._world.record(Happened.RECEIVE, self.name, self._world.texts[number], sender, number)
        self._call(self.program.on_message, self._node, message, sender)

    def _take_timer(self, name: Hashable, number: int) -> None:
        if self.timers.get(name) != number:
            return  # cancelled by what was taken before it, while both waited
        del self.timers[name]
        if self._world.recording:
            self._world.record(Happened.TIMER, self.name, text_of(name))
        self._call(self.program.on_timer, self._node, name)

    def _call(self, handler: Callable[..., object], *args: Any) -> None:
        try:
            handler(*args)
            if self._actions_left is not None and self._actions_left <= 0:
                raise Crash  # again: a bare `except` in the program has swallowed it
        except Crash:
            self.crash()
        except NotImplementedError:
            raise  # an exercise that nobody has begun is not a program that failed
        except Exception as error:  # the program is foreign code: whatever it raises ends the run, not the process
            self._world.fail_in(self.name, error)

    # Waiting events

    def _queue(self, event: tuple[str | None, Any, int]) -> None:
        self._inbox.append(event)
        if not self._serving and not self._paused:
            self._begin_service()

    def _begin_service(self) -> None:
        self._serving = True
        self._world.call_at(self._world.now_s + self._service_s + self.slower_by_s, self.serve, self._starts)

    def serve(self, starts: int) -> object:
        """Take the event at the head of the queue, at the end of its service."""
        if starts != self._starts or not self.up:
            return STALE
        self._serving = False
        if self._paused:
            return STALE
        sender, what, number = self._inbox.popleft()
        if sender is None:
            self._take_timer(what, number)
        else:
            self._take_message(what, sender, number)
        if self._inbox and self.up:
            self._begin_service()
        return None

    def _forget(self) -> None:
        self.timers.clear()
        self._inbox: deque[tuple[str | None, Any, int]] = deque()
        self._serving = False
        self._paused = False
        self._actions_left = None
