"""A fault: what goes wrong, where, from when to when, and how badly. A schedule is a list of them.

Faults are data, so that a schedule can be generated from a seed, stored, replayed and made smaller. `FACTS` says what
the amount of each kind means.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from labsupport.errors import LabsError


class FaultKind(StrEnum):
    """What can go wrong; `FACTS` says what each does."""

    CRASH = "crash"
    PAUSE = "pause"
    SLOW = "slow"
    CLOCK_SKEW = "clock-skew"
    CLOCK_DRIFT = "clock-drift"
    DISK_LIES = "disk-lies"
    DISK_TEARS = "disk-tears"
    DISK_FULL = "disk-full"
    PARTITION = "partition"
    LOSS = "loss"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    JITTER = "jitter"
    REORDER = "reorder"
    THROTTLE = "throttle"


@dataclass(frozen=True)
class KindFacts:
    """What holds for all faults of a kind."""

    meaning: str
    amount: str = ""
    """How the amount is written; "" where the kind has none."""
    allowed: tuple[float, float] = (0.0, 0.0)
    """Bounds of the amount."""
    drawn: tuple[float, float] = (0.0, 0.0)
    """Bounds of the amounts that a schedule draws."""
    on_links: bool = False


ANY = (1e-9, 1e9)  # above zero

FACTS: Mapping[FaultKind, KindFacts] = {
    FaultKind.CRASH: KindFacts(
        "loses what is not durable and starts again at the end; with an amount it crashes in the middle of a handler, "
        "right before its so many-th message or disk operation",
        "before action {:.0f}",
        (0, 1e6),
        (1, 6),
    ),
    FaultKind.PAUSE: KindFacts("does nothing, as if stopped or collecting garbage; what arrives waits"),
    FaultKind.SLOW: KindFacts("needs so long for every event", "{:g} s per event", ANY, (0.01, 0.5)),
    FaultKind.CLOCK_SKEW: KindFacts("has a wall clock that is ahead or behind", "{:+g} s", (-1e9, 1e9), (-10, 10)),
    FaultKind.CLOCK_DRIFT: KindFacts("has clocks that run fast or slow", "{:+.3g} s per s", (-0.99, 99), (-0.2, 0.2)),
    FaultKind.DISK_LIES: KindFacts("acknowledges an fsync that it does not do"),
    FaultKind.DISK_TEARS: KindFacts("keeps half of what was not fsynced, in a crash"),
    FaultKind.DISK_FULL: KindFacts("has no space left: takes half of a write and raises ENOSPC"),
    FaultKind.PARTITION: KindFacts("loses every message", on_links=True),
    FaultKind.LOSS: KindFacts("loses some messages", "{:.0%} of messages", (1e-9, 1), (0.05, 0.9), on_links=True),
    FaultKind.DUPLICATE: KindFacts("doubles some", "{:.0%} of messages", (1e-9, 1), (0.05, 0.9), on_links=True),
    FaultKind.DELAY: KindFacts("takes longer", "{:+g} s", ANY, (0.05, 2), on_links=True),
    FaultKind.JITTER: KindFacts("takes longer, more or less", "{:+g} s on average", ANY, (0.01, 0.5), on_links=True),
    FaultKind.REORDER: KindFacts("lets messages overtake each other", "by up to {:g} s", ANY, (0.01, 1), on_links=True),
    FaultKind.THROTTLE: KindFacts("has little bandwidth", "{:,.0f} bytes/s", ANY, (200, 20_000), on_links=True),
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong for a while."""

    kind: FaultKind
    at_s: float
    duration_s: float
    nodes: tuple[str, ...]
    """Whom it hits; for a link, the senders."""
    towards: tuple[str, ...] = ()
    """The receivers, where links are hit."""
    both_ways: bool = False
    amount: float = 0.0
    """See `FACTS`."""

    def __post_init__(self) -> None:
        facts = FACTS[self.kind]
        if not (0 <= self.at_s < math.inf and 0 < self.duration_s < math.inf):
            raise LabsError(f"fault {self}: begins at 0 s or later and lasts longer than 0 s")
        if not self.nodes or bool(self.towards) != facts.on_links:
            raise LabsError(f"fault {self}: names its nodes, and only on links those that they cannot reach")
        lowest, highest = facts.allowed
        if not lowest <= self.amount <= highest:
            allowed = f"from {lowest:g} to {highest:g}" if facts.amount else "none"
            raise LabsError(f"fault {self}: amount {self.amount:g}, allowed for {self.kind}: {allowed}")

    @property
    def ends_s(self) -> float:
        """When it is over."""
        return round(self.at_s + self.duration_s, 6)

    @property
    def links(self) -> tuple[tuple[str, str], ...]:
        """The directions that it hits, as (sender, receiver)."""
        one_way = [(a, b) for a in self.nodes for b in self.towards if a != b]
        return tuple(dict.fromkeys(one_way + ([(b, a) for a, b in one_way] if self.both_ways else [])))

    def __str__(self) -> str:
        return f"{self.at_s:g} s: {self.what}, for {self.duration_s:g} s"

    @property
    def what(self) -> str:
        """What goes wrong, without its time."""
        facts = FACTS[self.kind]
        where = ", ".join(self.nodes)
        if self.towards:
            where += f" {'<->' if self.both_ways else '->'} {', '.join(self.towards)}"
        amount = f" {facts.amount.format(self.amount)}" if facts.amount and self.amount else ""
        return f"{self.kind} {where}{amount}"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; what has its default is left out."""
        optional = ("towards", "both_ways", "amount")
        return {name: value for name, value in asdict(self).items() if name not in optional or value}

    @classmethod
    def from_json(cls, stored: object) -> Fault:
        """Return the fault that `to_json` wrote.

        Raises:
            LabsError: it is not one, with the field at fault.
        """
        if not isinstance(stored, dict):
            raise LabsError(f"fault {stored!r}: is an object with kind, at_s, duration_s and nodes")
        if unknown := sorted(stored.keys() - cls.__dataclass_fields__.keys()):
            raise LabsError(f"fault {stored}: has no field {unknown[0]!r}")
        try:
            return cls(
                kind=FaultKind(stored["kind"]),
                at_s=_number(stored["at_s"]),
                duration_s=_number(stored["duration_s"]),
                nodes=_names(stored["nodes"]),
                towards=_names(stored.get("towards", [])),
                both_ways=bool(stored.get("both_ways", False)),
                amount=_number(stored.get("amount", 0.0)),
            )
        except KeyError as error:
            raise LabsError(f"fault {stored}: lacks the field {error}") from error
        except (TypeError, ValueError) as error:
            raise LabsError(f"fault {stored}: {error}") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{value!r} is no list of names")
    return tuple(value)
