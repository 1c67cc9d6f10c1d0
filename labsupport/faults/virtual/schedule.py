"""Schedules of faults: drawn from a seed, kept in a file, replayed.

A schedule ends with a quiet tail in which nothing is wrong any more. What a protocol promises in spite of faults is
checked at every event; what it promises once they are over, at the end of that tail.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labsupport.errors import LabsError
from labsupport.faults.virtual.fault import FACTS, Fault, FaultKind

FORMAT = 1
TIME_DIGITS = 3  # of times in seconds that are drawn
NEED_A_CRASH = (FaultKind.DISK_LIES, FaultKind.DISK_TEARS)  # nothing else shows what they did


@dataclass(frozen=True)
class Schedule:
    """What goes wrong in one run of a scenario."""

    scenario: str
    seed: int
    """Of everything else that is drawn in the run, too."""
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}, {_count(self.faults)}", *(f"  {fault}" for fault in self.faults)])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        faults = [fault.to_json() for fault in self.faults]
        return {"format": FORMAT, "scenario": self.scenario, "seed": self.seed, "faults": faults}

    @classmethod
    def from_json(cls, stored: object) -> Schedule:
        """Return the schedule that `to_json` wrote.

        Raises:
            LabsError: it is not one.
        """
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            raise LabsError(f"schedule: is an object with format {FORMAT}, scenario, seed and faults")
        scenario, seed, faults = stored.get("scenario"), stored.get("seed"), stored.get("faults")
        if not isinstance(scenario, str) or not isinstance(seed, int) or not isinstance(faults, list):
            raise LabsError("schedule: scenario is a name, seed a whole number, faults a list")
        return cls(scenario, seed, tuple(Fault.from_json(fault) for fault in faults))

    def save(self, path: Path) -> Path:
        """Write the schedule as JSON and return its path."""
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        return path

    @classmethod
    def load(cls, path: Path) -> Schedule:
        """Read a schedule that `save` wrote.

        Raises:
            LabsError: the file is not there, or holds something else.
        """
        try:
            return cls.from_json(json.loads(path.read_text()))
        except OSError as error:
            raise LabsError(f"schedule {path}: cannot be read ({error.strerror})") from error
        except (ValueError, LabsError) as error:
            raise LabsError(f"schedule {path}: {error}") from error


@dataclass(frozen=True)
class FaultSpec:
    """Which faults are drawn, how many, how long and how bad."""

    per_minute: Mapping[FaultKind, float]
    """How many of each kind begin in a minute, on average; kinds left out do not happen."""
    shortest_s: float = 0.05
    """Of a fault's duration. Its logarithm is drawn evenly: short ones find races, long ones time-outs."""
    longest_s: float = 10.0
    quiet_s: float = 10.0
    """Without faults, at the end."""
    nodes: tuple[str, ...] = ()
    """Which nodes are hit, and whose links; empty for all."""
    amounts: Mapping[FaultKind, tuple[float, float]] = field(default_factory=dict)
    """Bounds of the amount of a kind, in place of those in `FACTS`."""

    def __post_init__(self) -> None:
        wrong = [f"{kind} {rate!r}" for kind, rate in self.per_minute.items() if not 0 <= rate < math.inf]
        if wrong or not any(self.per_minute.values()):
            raise LabsError(
                f"faults per minute: numbers from 0 up, one at least above 0; not {', '.join(wrong) or 'none'}"
            )
        if not 0 < self.shortest_s <= self.longest_s < math.inf:
            raise LabsError(f"durations from {self.shortest_s:g} to {self.longest_s:g} s: above 0, the shortest first")
        if not 0 <= self.quiet_s < math.inf:
            raise LabsError(f"quiet_s {self.quiet_s:g}: a number of seconds from 0 up")

    @classmethod
    def of(cls, *kinds: str, per_minute: float = 3.0, **more: Any) -> FaultSpec:
        """Return a spec of some kinds by name, each so often.

        Raises:
            LabsError: there is no such kind.
        """
        known = set(FaultKind)
        if unknown := [kind for kind in kinds if kind not in known]:
            raise LabsError(f"fault {unknown[0]!r}: there is no such kind; there are {', '.join(sorted(known))}")
        return cls({FaultKind(kind): per_minute for kind in kinds}, **more)

    def draw(self, scenario: str, seed: int, nodes: Sequence[str], duration_s: float) -> Schedule:
        """Return the schedule of one seed for a run of some length; it holds a fault at least.

        Raises:
            LabsError: the run is no longer than its quiet tail, or the spec names a node that is not there.
        """
        if missing := [name for name in self.nodes if name not in nodes]:
            raise LabsError(f"node {missing[0]!r}: there is no such node to be hit; there are {', '.join(nodes)}")
        until_s = duration_s - self.quiet_s
        if until_s <= self.shortest_s:
            raise LabsError(f"a run of {duration_s:g} s has no room for faults before {self.quiet_s:g} quiet seconds")
        drawing = _Drawing(self, seed, self.nodes or tuple(nodes), tuple(nodes), until_s)
        return Schedule(scenario, seed, drawing.faults())


class _Drawing:
    """The draws for one schedule; each kind has a stream of its own: one rate changes no other kind's faults."""

    def __init__(self, spec: FaultSpec, seed: int, hit: Sequence[str], nodes: Sequence[str], until_s: float) -> None:
        self._spec = spec
        self._seed = seed
        self._hit = hit
        self._nodes = nodes
        self._until_s = until_s
        self._draw = random.Random()  # noqa: S311 - seeded before each kind; to be repeated, no secret

    def faults(self) -> tuple[Fault, ...]:
        found: list[Fault] = []
        likeliest = max(FaultKind, key=lambda kind: self._spec.per_minute.get(kind, 0.0))
        for kind in FaultKind:
            rate_per_s = self._spec.per_minute.get(kind, 0.0) / 60
            self._draw.seed(f"{self._seed}/schedule/{kind}")
            at_s = self._gap_s(rate_per_s)
            while at_s < self._until_s:
                found += self._at(kind, at_s)
                at_s += self._gap_s(rate_per_s)
        if not found:
            self._draw.seed(f"{self._seed}/schedule")
            found += self._at(likeliest, self._draw.uniform(0, self._until_s))
        return tuple(sorted(found, key=lambda fault: (fault.at_s, fault.kind)))

    def _gap_s(self, rate_per_s: float) -> float:
        return self._draw.expovariate(rate_per_s) if rate_per_s else math.inf

    def _at(self, kind: FaultKind, at_s: float) -> list[Fault]:
        at_s = min(round(at_s, TIME_DIGITS), self._until_s - self._spec.shortest_s)
        duration_s = self._duration_s(at_s)
        facts, draw = FACTS[kind], self._draw
        if facts.on_links:
            senders, receivers = self._sides(kind)
            if not receivers:
                return []  # a world of one node has no links
            return [Fault(kind, at_s, duration_s, senders, receivers, draw.random() < 0.5, self._amount(kind))]
        node = (draw.choice(self._hit),)
        fault = Fault(kind, at_s, duration_s, node, amount=self._amount(kind))
        if kind not in NEED_A_CRASH:
            return [fault]
        crash_s = round(at_s + duration_s * draw.random(), TIME_DIGITS)
        return [fault, Fault(FaultKind.CRASH, crash_s, self._duration_s(crash_s), node)]

    def _duration_s(self, at_s: float) -> float:
        shortest_s, longest_s = self._spec.shortest_s, self._spec.longest_s
        drawn_s = shortest_s * (longest_s / shortest_s) ** self._draw.random()
        return max(10**-TIME_DIGITS, round(min(drawn_s, self._until_s - at_s), TIME_DIGITS))

    def _amount(self, kind: FaultKind) -> float:
        facts, draw = FACTS[kind], self._draw
        if not facts.amount:
            return 0.0
        lowest, highest = self._spec.amounts.get(kind, facts.drawn)
        if kind is FaultKind.CRASH:  # half of them between events, half in the middle of a handler
            return float(draw.randint(round(lowest), round(highest))) if draw.random() < 0.5 else 0.0
        if lowest > 0 and highest > 10 * lowest:
            return float(f"{lowest * (highest / lowest) ** draw.random():.3g}")
        return float(f"{draw.uniform(lowest, highest):.3g}")

    def _sides(self, kind: FaultKind) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Draw who does not reach whom: two nodes, one node and all others, or two halves of the world."""
        draw = self._draw
        one = draw.choice(self._hit)
        others = tuple(name for name in self._nodes if name != one)
        shape = draw.random()
        if not others or shape < 0.4:
            return (one,), (draw.choice(others),) if others else ()
        if shape < 0.8 or kind is not FaultKind.PARTITION:
            return (one,), others
        with_it = {one, *draw.sample(others, len(others) // 2)}
        return tuple(n for n in self._nodes if n in with_it), tuple(n for n in self._nodes if n not in with_it)


def _count(faults: Sequence[Fault]) -> str:
    return "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
