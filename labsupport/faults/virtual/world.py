"""The virtual-time world: one event loop that runs programs on nodes, deterministically and faster than life.

Events lie in a heap ordered by time, then by the order in which they were made. Nothing in a run depends on anything
but the seed: each component draws from a stream of its own, so that an extra draw in one place moves no other. After
every event the invariants are checked; the first that is broken ends the run, with the time, the event and what is
wrong.

Written for this purpose rather than on SimPy: programs are plain methods, not generators; crash, pause and lost
messages would have to be built on top of it; and a message costs a quarter of the CPU time (two nodes that exchange a
number: 276,000 messages/s here, 71,000 with SimPy 4.1.2, on one core of the same busy machine).

Limitations: a program that reads the real time, the global `random`, `id()` or the order of a set of strings is not
repeatable; `pass_rate` notices, and says at which event two runs of one seed differ. A handler that never returns is
stopped by nothing here.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeVar

from labsupport.errors import LabsError
from labsupport.faults.histories.history import History
from labsupport.faults.plain import copied, text_of
from labsupport.faults.virtual.failure import Cause, Failure, line_of, message_of
from labsupport.faults.virtual.links import Delay, Link, exponential
from labsupport.faults.virtual.log import Entry, Happened
from labsupport.faults.virtual.machine import STALE, Machine

EVENT_LIMIT = 200_000  # some hundred times what the protocols of the labs need
STORM_EVENTS = 1_000  # how many of the last events are counted to say what a storm is made of
NAME_MAY_NOT_HOLD = frozenset(" ,<>")  # they separate names in a fault's description
LOCAL_NETWORK = exponential(0.0005, 0.0005)  # seconds: a data centre's round trip is 1 to 2 ms

Invariant = Callable[["World"], "str | bool | None"]
"""Returns None or True while it holds, else what is wrong; an AssertionError counts the same."""

AnyInvariant = TypeVar("AnyInvariant", bound=Invariant)


class World:
    """Nodes, the links between them, and time."""

    def __init__(
        self, seed: int = 0, *, delay: Delay = LOCAL_NETWORK, recording: bool = True, event_limit: int = EVENT_LIMIT
    ) -> None:
        """Make an empty world.

        Args:
            delay: how long messages take on links that are not set otherwise.
            recording: keep the event log, which takes about half of the time of a run.
            event_limit: number of events after which a run has failed.
        """
        self.seed = seed
        self.now_s = 0.0
        self.events = 0
        self.recording = recording
        self.log: list[Entry] = []
        self.texts: dict[int, str] = {}  # of the messages in the log, by number
        self.machines: dict[str, Machine] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        """What each node has published."""
        self.history = History()
        self.failure: Failure | None = None
        self.changed = True
        """Whether a fact or the history has changed since the invariants that need it were checked."""
        self._delay = delay
        self._event_limit = event_limit
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._scheduled = 0
        self._sent = 0
        self._links: dict[tuple[str, str], Link] = {}
        self._every_event: list[tuple[str, Invariant]] = []
        self._after_change: list[tuple[str, Invariant]] = []

    # Building

    def add(self, name: str, program: Callable[[], Any], *, service_s: float = 0.0) -> Machine:
        """Add a node that starts at once.

        Args:
            program: makes the program, here and at every restart: a class, or a function without arguments.
            service_s: how long each event occupies the node.

        Raises:
            LabsError: the name is empty, taken, or holds a blank, a comma, `<` or `>`.
        """
        if not name or NAME_MAY_NOT_HOLD & set(name):
            raise LabsError(f"node {name!r}: a name is not empty and holds no blank, comma, < or >")
        if name in self.machines:
            raise LabsError(f"node {name!r}: there is one of that name already")
        machine = self.machines[name] = Machine(self, name, program, service_s)
        self.facts[name] = {}
        self.call_at(self.now_s, machine.start)
        return machine

    def link(self, sender: str, receiver: str) -> Link:
        """Return the link in one direction, to set its delay or bandwidth.

        Raises:
            LabsError: there is no such node.
        """
        ends = sender, receiver
        link = self._links.get(ends)
        if link is None:
            for name in ends:
                self.machine(name)
            stream = f"link/{sender}/{receiver}"
            link = self._links[ends] = Link(self._delay, self.stream(stream), self.stream(f"{stream}/faults"))
        return link

    def invariant(self, holds: AnyInvariant, *, name: str = "", after_change: bool = False) -> AnyInvariant:
        """Check an invariant after every event; usable as a decorator.

        Args:
            name: how a failure calls it; the function's own name in words without it.
            after_change: only after events in which a node published a fact, or the history grew.
        """
        named = name or getattr(holds, "__name__", "invariant").replace("_", " ").strip()
        (self._after_change if after_change else self._every_event).append((named, holds))
        return holds

    def call_at(self, at_s: float, action: Callable[..., object], *args: Any) -> None:
        """Call a function at a time of the world; what it does is one event."""
        self._scheduled += 1
        heappush(self._heap, (at_s, self._scheduled, action, args))

    def stream(self, component: str) -> random.Random:
        """Return random numbers that depend on the seed and the component's name alone."""
        return random.Random(f"{self.seed}/{component}")  # noqa: S311 - to be repeated, no secret

    # Looking

    def machine(self, name: str) -> Machine:
        """Return the machine of a node.

        Raises:
            LabsError: there is no such node.
        """
        if name not in self.machines:
            raise LabsError(f"node {name!r}: there is no such node; there are {', '.join(self.machines) or 'none'}")
        return self.machines[name]

    def program(self, name: str) -> Any:
        """Return the program that runs on a node, or None while it is down."""
        return self.machine(name).program

    @property
    def programs(self) -> dict[str, Any]:
        """The programs that run now, by node; those of nodes that are down are missing."""
        return {name: machine.program for name, machine in self.machines.items() if machine.up}

    def nodes_where(self, **facts: Any) -> tuple[str, ...]:
        """Return the nodes that show all of these facts, such as `role="leader"`."""
        return tuple(name for name, shown in self.facts.items() if all(shown.get(key) == facts[key] for key in facts))

    # Running

    def run(self, until_s: float) -> Failure | None:
        """Let time pass until a moment, or until something fails; return the failure.

        Raises:
            NotImplementedError: a program is an exercise's stub.
        """
        heap, limit = self._heap, self._event_limit
        while heap and heap[0][0] <= until_s and self.failure is None:
            self.now_s, _, action, args = heappop(heap)
            if action(*args) is STALE:
                continue
            self.events += 1
            if self.failure is None:
                self._check_invariants()
            if self.events >= limit and self.failure is None:
                self._end_storm(until_s)
        if self.failure is None:
            self.now_s = max(self.now_s, until_s)
        else:
            self.record(Happened.BROKEN, "", f"{self.failure.cause}: {self.failure.name}")
        return self.failure

    def carry(self, sender: str, to: str, message: Any, size: int | None) -> None:
        """Take a message from one node towards another.

        Raises:
            LabsError: there is no such node, or the message cannot be copied.
        """
        target = self.machines.get(to)
        if target is None:
            raise LabsError(f"node {sender}: sends to {to!r}, which is no node; there are {', '.join(self.machines)}")
        self._sent += 1
        parcel = copied(message)
        if self.recording:
            self.texts[self._sent] = text_of(parcel)
            self.log.append(Entry(self.now_s, Happened.SEND, sender, self.texts[self._sent], to, self._sent))
        if to == sender:
            self.call_at(self.now_s, target.deliver, parcel, sender, self._sent)
            return
        link = self._links.get((sender, to)) or self.link(sender, to)
        arrivals_s = link.arrivals_s(self.now_s, parcel, size)
        if not arrivals_s:
            why = "cut off by a partition" if link.blocked else "lost on the way"
            self.record(Happened.LOST, to, why, sender, self._sent)
        for number, arrives_s in enumerate(arrivals_s):
            self.call_at(arrives_s, target.deliver, copied(parcel) if number else parcel, sender, self._sent)

    def record(self, kind: Happened, node: str, text: str, peer: str = "", number: int = 0) -> None:
        """Add to the event log, where one is kept."""
        if self.recording:
            self.log.append(Entry(self.now_s, kind, node, text, peer, number))

    def fail(self, cause: Cause, name: str, message: str, error: BaseException | None = None) -> None:
        """End the run; the first failure counts."""
        if self.failure is None:
            line = line_of(error) if error is not None else ""
            self.failure = Failure(cause, name, message, self.now_s, self.events, line, error)

    def fail_in(self, node: str, error: Exception) -> None:
        """End the run because a node's program raised."""
        self.fail(Cause.ERROR, node, message_of(error), error)

    def judge(self, name: str, holds: Invariant) -> Failure | None:
        """Check once, now, what must hold when the run is over."""
        self._check(name, holds, Cause.END)
        if self.failure is not None:
            self.record(Happened.BROKEN, "", f"{self.failure.cause}: {self.failure.name}")
        return self.failure

    def _check_invariants(self) -> None:
        for name, holds in self._every_event:
            self._check(name, holds)
        if self.changed:
            self.changed = False
            for name, holds in self._after_change:
                self._check(name, holds)

    def _check(self, name: str, holds: Invariant, cause: Cause = Cause.INVARIANT) -> None:
        try:
            wrong = holds(self)
        except AssertionError as error:
            self.fail(cause, name, str(error) or line_of(error) or "does not hold")
        except NotImplementedError:
            raise
        except Exception as error:  # an invariant may be a learner's code
            self.fail(Cause.ERROR, name, message_of(error), error)
        else:
            if wrong is not None and wrong is not True:
                self.fail(cause, name, wrong or "does not hold")

    def _end_storm(self, until_s: float) -> None:
        """Fail a run that has reached its limit, and say what its last events are made of."""
        reached_s, kinds = self.now_s, Counter[str]()
        while self._heap and self._heap[0][0] <= until_s and sum(kinds.values()) < STORM_EVENTS and not self.failure:
            self.now_s, _, action, args = heappop(self._heap)
            if action(*args) is not STALE:
                kinds[_described(action, args)] += 1
        (most, count), *_ = kinds.most_common(1) or [("none", 0)]
        self.now_s = reached_s
        self.failure = None
        self.fail(
            Cause.EVENT_LIMIT,
            "event storm",
            f"{self.events:,} events and no end; of the next {sum(kinds.values()):,}, {count:,} are {most}",
        )


def _described(action: Callable[..., object], args: tuple[Any, ...]) -> str:
    owner = getattr(action, "__self__", None)
    if not isinstance(owner, Machine):
        return "calls of the scenario"
    if action == owner.deliver:
        return f"messages from {args[1]} to {owner.name}"
    return (
        f"timers {text_of(args[0])} of {owner.name}" if action == owner.end_timer else f"queued events of {owner.name}"
    )
