"""Is every element that was acknowledged still there? Jepsen's set-full analysis.

Clients add elements and read the whole set. An element is *known* from the moment its add was acknowledged, or a read
returned with it. Known and missing from the last reads, it is **lost**. Missing from a read that began after it was
known, and back later, it was **stale** for a while. Without a read that could tell, it was **never read**.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from labsupport.faults.histories.history import Completion, Judgement, Operation

Moment = tuple[float, int]
NAMED = 5  # elements of one kind that a sentence names


@dataclass(frozen=True)
class SetFullReport:
    """Elements by what became of them, each in the order of their adds."""

    attempts: int
    acknowledged: int
    stable: tuple[Hashable, ...]
    lost: tuple[Hashable, ...]
    stale: tuple[Hashable, ...]
    never_read: tuple[Hashable, ...]
    """Acknowledged, with no read to tell."""
    unexpected: tuple[Hashable, ...]
    """Read, and never added, or only by an add that failed."""
    duplicated: tuple[Hashable, ...]
    """Twice in one read."""
    stale_s: float
    """How long after an element was known a read still began that missed it, at worst."""
    allow_stale: bool

    @property
    def judgement(self) -> Judgement:
        """Undecided where no read could tell anything."""
        if self.lost or self.unexpected or self.duplicated or (self.stale and not self.allow_stale):
            return Judgement.VIOLATED
        return Judgement.HOLDS if self.stable else Judgement.UNDECIDED

    @property
    def sentence(self) -> str:
        """The result on one line."""
        parts = [
            f"{len(elements)} {word} ({_named(elements)})"
            for word, elements in (
                ("lost", self.lost),
                ("stale", self.stale),
                ("unexpected", self.unexpected),
                ("duplicated", self.duplicated),
                ("never read", self.never_read),
            )
            if elements
        ]
        counts = f"{self.attempts} adds, {self.acknowledged} acknowledged, {len(self.stable)} stable"
        return ", ".join([counts, *parts])


def judge_set_full(operations: Iterable[Operation], *, allow_stale: bool = False) -> SetFullReport:
    """Judge the `add` and `read` operations on one set.

    Args:
        allow_stale: accept reads that miss a known element for a while, as asynchronous replicas give.
    """
    operations = list(operations)
    adds = [operation for operation in operations if operation.action == "add"]
    reads = [operation for operation in operations if operation.action == "read" and operation.succeeded]
    possible = {add.argument for add in adds if add.completion is not Completion.FAILED}
    seen_in = [frozenset(read.result) for read in reads]

    known: dict[Hashable, Moment] = {}
    for add in adds:
        if add.succeeded:
            _earliest(known, add.argument, _ended(add))
    present: dict[Hashable, Moment] = {}  # start of the last read that had the element
    for read, seen in zip(reads, seen_in, strict=True):
        for element in seen:
            _earliest(known, element, _ended(read))
            present[element] = max(_started(read), present.get(element, _started(read)))

    stable, lost, stale, never_read, stale_s = [], [], [], [], 0.0
    for element in dict.fromkeys(add.argument for add in adds):
        absences = [_started(read) for read, seen in zip(reads, seen_in, strict=True) if element not in seen]
        absent = max(absences, default=None)
        if element in present and (absent is None or absent < present[element]):
            stable.append(element)
            if absent is not None and known[element] < absent:
                stale.append(element)
                stale_s = max(stale_s, absent[0] - known[element][0])
        elif element in known and absent is not None and known[element] < absent:
            lost.append(element)
        elif element in known:
            never_read.append(element)

    counts = [Counter(read.result) for read in reads if not isinstance(read.result, (set, frozenset))]
    return SetFullReport(
        attempts=len(adds),
        acknowledged=sum(add.succeeded for add in adds),
        stable=tuple(stable),
        lost=tuple(lost),
        stale=tuple(stale),
        never_read=tuple(never_read),
        unexpected=tuple(sorted({element for seen in seen_in for element in seen} - possible, key=repr)),
        duplicated=tuple(sorted({element for count in counts for element in count if count[element] > 1}, key=repr)),
        stale_s=stale_s,
        allow_stale=allow_stale,
    )


def _started(operation: Operation) -> Moment:
    return operation.started_s, operation.started_order


def _ended(operation: Operation) -> Moment:
    assert operation.ended_s is not None, "Only operations that succeeded are asked for their end"
    return operation.ended_s, operation.ended_order


def _earliest(moments: dict[Hashable, Moment], element: Hashable, moment: Moment) -> None:
    moments[element] = min(moment, moments.get(element, moment))


def _named(elements: tuple[Hashable, ...]) -> str:
    more = ", ..." if len(elements) > NAMED else ""
    return ", ".join(map(repr, elements[:NAMED])) + more
