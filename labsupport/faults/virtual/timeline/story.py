"""Turn an event log into what a timeline draws: rows, messages, and the stretches of time in which something was so.

Drawing needs no world: a drill on real processes that writes the same entries gets the same page.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from labsupport.faults.virtual.log import Entry, Happened

LATE_FACTOR = 10  # a message that takes so many times the median is late
LATE_S = 0.05  # and at least this
LAST_ROWS = 90  # before the end, shown whole: what led to it
EARLIER_ROWS = 50  # before those, only what matters
SMALL_GAP = 3  # so few rows are shown rather than counted
WORTH_SHOWING = frozenset(
    {Happened.FAULT, Happened.REVERT, Happened.CRASH, Happened.START, Happened.NOTE, Happened.STATE, Happened.BROKEN}
)


@dataclass(frozen=True)
class Band:
    """A fault, from its beginning to its end."""

    text: str
    from_s: float
    to_s: float
    nodes: tuple[str, ...]
    """Where it is shaded; empty for one on links."""
    begun: int | None = None
    """Number of its entries in the log, where it has some."""
    ended: int | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of a node's time: down, in a published state, or in an operation."""

    node: str
    kind: str
    """`down`, `state` or `operation`."""
    from_s: float
    to_s: float
    text: str
    first: int
    """Numbers of the entries in the log that begin and end it."""
    last: int


@dataclass(frozen=True)
class Message:
    """A message on its way; entries are given by their number in the log."""

    sender: str
    receiver: str
    text: str
    sent: int | None
    arrived: int | None
    """None while it is on its way."""
    lost: bool
    late: bool


@dataclass(frozen=True)
class Row:
    """What happened at one node at one instant, or, without a node, a gap in which rows are left out."""

    first: int
    """Number of the first entry in the log, and below of the one after the last."""
    end: int
    at_s: float
    node: str
    entries: tuple[Entry, ...]
    left_out: int = 0

    @property
    def kinds(self) -> frozenset[Happened]:
        """What kinds of entries it holds."""
        return frozenset(entry.kind for entry in self.entries)


@dataclass(frozen=True)
class Story:
    """All that a timeline shows."""

    title: str
    failure: str
    """What went wrong, possibly in several lines; "" where nothing did."""
    lanes: tuple[str, ...]
    bands: tuple[Band, ...]
    log: Sequence[Entry]
    end_s: float
    replay: str = ""
    """How to see the same again."""

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the detailed part: the last ones whole, of earlier ones what matters, and gaps between.

        A timer after which nothing happens is no row.
        """
        return tuple(_shown([row for row in _rows(self.log) if row.kinds != {Happened.TIMER}]))

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """All messages in the order in which they were sent."""
        return tuple(_messages(self.log))

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """When nodes were down, what they published, and what their clients asked."""
        return tuple(_spans(self.log, self.end_s))

    @cached_property
    def faults(self) -> tuple[Band, ...]:
        """The faults that began before the end, with their entries in the log."""
        entries: dict[tuple[Happened, str], list[int]] = {}
        for number, entry in enumerate(self.log):
            if entry.kind in (Happened.FAULT, Happened.REVERT):
                entries.setdefault((entry.kind, entry.text), []).append(number)
        found = []
        for band in self.bands:
            if band.from_s <= self.end_s:
                begun, ended = (entries.get((kind, band.text)) for kind in (Happened.FAULT, Happened.REVERT))
                found.append(
                    replace(band, begun=begun.pop(0) if begun else None, ended=ended.pop(0) if ended else None)
                )
        return tuple(found)


def _rows(log: Sequence[Entry]) -> Iterator[Row]:
    start = 0
    for number in range(1, len(log) + 1):
        if number < len(log):
            before, entry = log[number - 1], log[number]
            # One event: at its head stands what set it off.
            if (entry.at_s, entry.node) == (before.at_s, before.node) and not _begins(entry):
                continue
            if before.kind is Happened.SEND and entry.kind is Happened.LOST and entry.number == before.number:
                continue
        yield Row(start, number, log[start].at_s, log[start].node, tuple(log[start:number]))
        start = number


def _begins(entry: Entry) -> bool:
    return entry.kind in (Happened.RECEIVE, Happened.TIMER, Happened.START, Happened.FAULT, Happened.REVERT) or (
        entry.kind in (Happened.CRASH, Happened.BROKEN)
    )


def _shown(rows: list[Row]) -> Iterator[Row]:
    last = max(0, len(rows) - LAST_ROWS)
    matter = [number for number in range(last) if rows[number].kinds & WORTH_SHOWING][-EARLIER_ROWS:]
    shown = [*matter, *range(last, len(rows))]
    before = -1
    for number in shown:
        left_out = number - before - 1
        if left_out > SMALL_GAP:
            yield Row(rows[before + 1].first, rows[number].first, rows[before + 1].at_s, "", (), left_out)
        else:
            yield from rows[before + 1 : number]
        yield rows[number]
        before = number


def _messages(log: Sequence[Entry]) -> Iterator[Message]:
    sent = {entry.number: number for number, entry in enumerate(log) if entry.kind is Happened.SEND}
    ends: dict[int, list[int]] = {}
    for number, entry in enumerate(log):
        if entry.kind in (Happened.RECEIVE, Happened.LOST):
            ends.setdefault(entry.number, []).append(number)
    took_s = {
        (message, end): log[end].at_s - log[sent[message]].at_s
        for message, numbers in ends.items()
        if message in sent
        for end in numbers
        if log[end].kind is Happened.RECEIVE
    }
    late_s = max(LATE_S, LATE_FACTOR * statistics.median(took_s.values())) if took_s else LATE_S
    for message, start in sent.items():
        entry = log[start]
        for end in ends.get(message, [None]):
            lost = end is not None and log[end].kind is Happened.LOST
            late = end is not None and took_s.get((message, end), 0.0) > late_s
            yield Message(entry.node, entry.peer, entry.text, start, end, lost, late)


def _spans(log: Sequence[Entry], end_s: float) -> Iterator[Span]:
    begun: dict[tuple[str, str, int], int] = {}  # node, kind and operation -> the entry that began it

    def ended(key: tuple[str, str, int], last: int, text: str = "") -> Iterator[Span]:
        if key in begun:
            first = begun.pop(key)
            to_s = log[last].at_s if last < len(log) else end_s
            yield Span(key[0], key[1], log[first].at_s, to_s, text or log[first].text, first, last)

    for number, entry in enumerate(log):
        down, state = (entry.node, "down", 0), (entry.node, "state", 0)
        operation = entry.node, "operation", entry.number
        match entry.kind:
            case Happened.CRASH:
                yield from ended(state, number)
                begun[down] = number
            case Happened.START:
                yield from ended(down, number)
            case Happened.STATE:
                yield from ended(state, number)
                begun[state] = number
            case Happened.INVOKE:
                begun[operation] = number
            case Happened.COMPLETE:
                yield from ended(operation, number, entry.text)
    for key in list(begun):
        yield from ended(key, len(log))
