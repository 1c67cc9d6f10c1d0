"""Judge a success criterion from receipts, and from nothing else.

A criterion names what it wants: a number, its kind, sometimes hardware. A receipt that has all of it settles the
question: met or not met. Any other receipt is evidence of less than was asked (fewer GPUs, a smaller model, virtual
time in place of a clock, fewer seeds, a stand-in) and is provisional whichever way it points: a pass on two CPU workers
does not show that four GPUs scale, and a miss on two CPU workers does not show that they do not. The sentence says
which way it points.

Of several receipts, those that settle it come before those that do not, then measured before the rest; among equals
the newest wins. A run on a laptop thus does not undo what was measured on the named hardware last week; a newer run on
that hardware does.

What is not covered: whether a receipt is believable (`receipts.physics`) or stale (`labs validate`). Receipts of kind
`target` and `quoted` are never evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from labsupport.course.catalog.success import Requirement, SuccessCriterion
from labsupport.receipts.quantities import converted
from labsupport.receipts.receipt import Kind, Receipt


class Status(StrEnum):
    """What receipts say of a criterion, in the order in which one part decides for the whole."""

    NOT_MET = "not met"
    NOT_MEASURED = "not measured"
    PROVISIONAL = "provisional"
    MET = "met"


_DECIDES = tuple(Status)


@dataclass(frozen=True)
class Part:
    """One requirement judged; without a receipt to read, `receipt` and `on_target` are None."""

    requirement: Requirement
    status: Status
    receipt: Receipt | None
    on_target: bool | None
    sentence: str


@dataclass(frozen=True)
class Judgement:
    """One criterion judged, with the receipts it rests on."""

    criterion: SuccessCriterion
    status: Status
    parts: tuple[Part, ...]

    @property
    def receipt_ids(self) -> tuple[str, ...]:
        """The ids of the receipts it rests on, each once."""
        return tuple(dict.fromkeys(part.receipt.id for part in self.parts if part.receipt))

    @property
    def sentence(self) -> str:
        """Why it has this status, in one line; the parts that decide come first."""
        parts = sorted(self.parts, key=lambda part: _DECIDES.index(part.status))
        return "; ".join(part.sentence for part in parts)


def judge(criterion: SuccessCriterion, receipts: Iterable[Receipt], machine_gpus: int | None = None) -> Judgement:
    """Judge a criterion: the weakest of its requirements decides, a failed one before a missing one.

    Args:
        receipts: in the order written; of two with the same time the later one is the newer.
        machine_gpus: GPUs of the machine at hand. It only chooses what the sentence advises: which GPUs a run used is
            what its receipt says in `gpus`, and a run that says nothing used none.
    """
    known = tuple(receipts)
    parts = tuple(_judge_part(requirement, known, machine_gpus) for requirement in criterion.requirements)
    return Judgement(criterion, min((part.status for part in parts), key=_DECIDES.index), parts)


@dataclass(frozen=True)
class _Evidence:
    receipt: Receipt
    value: float
    lacks: tuple[str, ...]
    """What the requirement asks for and this receipt does not have, in words; empty when it settles the question."""


def _judge_part(requirement: Requirement, receipts: Sequence[Receipt], machine_gpus: int | None) -> Part:
    candidates = [item for item in receipts if item.name in requirement.names and _may_judge(item)]
    evidence = [_evidence(requirement, item) for item in candidates]
    usable = [item for item in evidence if item is not None]
    if not usable:
        return Part(requirement, Status.NOT_MEASURED, None, None, _nothing_to_read(requirement, candidates))
    # max keeps the first of equals, so the order is turned round: the later of two receipts of one second is newer.
    best = max(reversed(usable), key=_rank)
    on_target = requirement.compare.holds(best.value, requirement.target)
    settled = Status.MET if on_target else Status.NOT_MET
    status = Status.PROVISIONAL if best.lacks else settled
    return Part(requirement, status, best.receipt, on_target, _sentence(requirement, best, on_target, machine_gpus))


def _may_judge(receipt: Receipt) -> bool:
    return receipt.kind not in (Kind.TARGET, Kind.QUOTED)


def _evidence(requirement: Requirement, receipt: Receipt) -> _Evidence | None:
    """Return what a receipt shows of a requirement; None when its unit measures something else."""
    value = converted(receipt.value, receipt.unit, requirement.unit)
    if value is None:
        return None
    lacks = []
    if receipt.name != requirement.receipt:
        lacks.append(f"{receipt.name} stands in for {requirement.receipt}")
    if receipt.kind not in requirement.kinds:
        lacks.append(f"{receipt.kind}, not {' or '.join(sorted(requirement.kinds))}")
    lacks += [f"not on {named.words}" for named in requirement.named if _stated(receipt, named.detail) < named.at_least]
    if (receipt.n or 1) < requirement.min_n:
        lacks.append(f"over {receipt.n or 1} of at least {requirement.min_n} {requirement.unit}")
    return _Evidence(receipt, value, tuple(lacks))


def _stated(receipt: Receipt, detail: str) -> float:
    """Return a number that the details state; 0 where they say nothing, or no number."""
    value = receipt.details.get(detail)
    return 0.0 if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _rank(evidence: _Evidence) -> tuple[bool, bool, datetime]:
    receipt = evidence.receipt
    return not evidence.lacks, receipt.kind == Kind.MEASURED, datetime.fromisoformat(receipt.at)


def _nothing_to_read(requirement: Requirement, candidates: Sequence[Receipt]) -> str:
    if not candidates:
        return f"{requirement.receipt}: no receipt yet"
    newest = max(reversed(candidates), key=lambda receipt: datetime.fromisoformat(receipt.at))
    return (
        f"{newest.name}: recorded in {newest.unit!r} (receipt {newest.id}), the criterion asks for {requirement.unit!r}"
    )


def _sentence(requirement: Requirement, best: _Evidence, on_target: bool, machine_gpus: int | None) -> str:
    receipt, unit = best.receipt, requirement.unit
    shown = f"{receipt.name} is {_amount(best.value, unit, unlike=requirement.target)}, {receipt.kind}"
    target = f"{requirement.compare} {_amount(requirement.target, unit)}"
    if not best.lacks:
        return f"{shown} ({target})"
    side = "on target here" if on_target else "misses the target here"
    return f"{shown} ({target}); {side}, but {', '.join(best.lacks)}{_advice(requirement, receipt, machine_gpus)}"


def _advice(requirement: Requirement, receipt: Receipt, machine_gpus: int | None) -> str:
    if machine_gpus is None or _stated(receipt, "gpus") >= requirement.min_gpus:
        return ""
    if machine_gpus >= requirement.min_gpus:
        return " (this machine has them: run it again there)"
    return f" (this machine has {machine_gpus})"


def _amount(value: float, unit: str, *, unlike: float | None = None) -> str:
    """Write a value in four digits, or in all of them where four would make it look like another number."""
    if unit == "bool":
        return "true" if value else "false"
    scale = 100 if unit == "fraction" else 1
    digits = f"{scale * value:.4g}"
    if unlike is not None and value != unlike and digits == f"{scale * unlike:.4g}":
        digits = f"{scale * value:.15g}"
    return f"{digits}x" if unit == "x" else f"{digits} {'%' if unit == 'fraction' else unit}"
