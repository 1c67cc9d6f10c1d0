"""Judge a success criterion from receipts, and from nothing else.

A criterion names what it wants: a number, its kind, sometimes hardware. A receipt that has all of it settles the
question: met or not met. Any other receipt is evidence of less than was asked (fewer GPUs, a smaller model, virtual
time in place of a clock, fewer seeds, a stand-in) and is provisional whichever way it points: a pass on two CPU workers
does not show that four GPUs scale, and a miss on two CPU workers does not show that they do not. The sentence says
which way it points.

Of several receipts, those that settle it come before those that do not, then measured before the rest; among equals the
newest wins. A run on a laptop thus does not undo what was measured on the named hardware last week; a newer run on
that hardware does.

A receipt that cannot be true (outside the domain of its metric, in another unit, refuted by a physics rule) is never
evidence, however it came into the ledger; nor is a goal or a quoted number. A stale one, measured by other code than is
here now, is provisional, and comes after those that are not. The sentence names what was refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from labsupport.course.catalog.success import Requirement, SuccessCriterion
from labsupport.receipts.ledger import Dropped
from labsupport.receipts.physics import why_impossible
from labsupport.receipts.provenance import is_stale
from labsupport.receipts.receipt import Kind, Receipt


class CriterionStatus(StrEnum):
    """What receipts say of a criterion, in the order in which one part decides for the whole."""

    NOT_MET = "not met"
    NOT_MEASURED = "not measured"
    PROVISIONAL = "provisional"
    MET = "met"


_DECIDES = tuple(CriterionStatus)


@dataclass(frozen=True)
class Part:
    """One requirement judged; without a receipt to read, `receipt` and `on_target` are None."""

    requirement: Requirement
    status: CriterionStatus
    receipt: Receipt | None
    on_target: bool | None
    sentence: str


@dataclass(frozen=True)
class Judgement:
    """One criterion judged, with the receipts it rests on."""

    criterion: SuccessCriterion
    status: CriterionStatus
    parts: tuple[Part, ...]

    @property
    def receipt_ids(self) -> tuple[str, ...]:
        """Return the ids of the receipts it rests on, each once."""
        return tuple(dict.fromkeys(part.receipt.id for part in self.parts if part.receipt))

    @property
    def sentence(self) -> str:
        """Say why it has this status, in one line; the parts that decide come first."""
        parts = sorted(self.parts, key=lambda part: _DECIDES.index(part.status))
        return "; ".join(part.sentence for part in parts)


def judge(
    criterion: SuccessCriterion,
    receipts: Iterable[Receipt],
    machine_gpus: int | None = None,
    dropped: Sequence[Dropped] = (),
) -> Judgement:
    """Judge a criterion: the weakest of its requirements decides, a failed one before a missing one.

    Args:
        receipts: in the order written; of two with the same time the later one is the newer.
        machine_gpus: GPUs of the machine at hand. It only chooses what the sentence advises: which GPUs a run used is
            what its receipt says in `gpus`, and a run that says nothing used none.
        dropped: lines of the ledger that are not receipts; the sentence mentions those that name one of its metrics.
    """
    known = tuple(receipts)
    parts = tuple(_judge_part(requirement, known, machine_gpus, dropped) for requirement in criterion.requirements)
    return Judgement(criterion, min((part.status for part in parts), key=_DECIDES.index), parts)


@dataclass(frozen=True)
class _Evidence:
    receipt: Receipt
    lacks: tuple[str, ...]
    """What the requirement asks for and this receipt does not have, in words; empty when it settles the question."""
    stale: bool

    @property
    def rank(self) -> tuple[bool, bool, bool, datetime]:
        """Of several, the largest decides."""
        receipt = self.receipt
        return not self.lacks, not self.stale, receipt.kind == Kind.MEASURED, datetime.fromisoformat(receipt.at)


def _judge_part(
    requirement: Requirement, receipts: Sequence[Receipt], machine_gpus: int | None, dropped: Sequence[Dropped]
) -> Part:
    names = [metric.name for metric in requirement.metrics]
    evidence = [_evidence(requirement, item) for item in receipts if item.name in names and _may_judge(item)]
    ranked = sorted(evidence, key=lambda item: item.rank)  # of two receipts of one second the later is the newer
    notes = [item.sentence for item in dropped if item.name in names]
    best = None
    for item in reversed(ranked):
        impossible = why_impossible(item.receipt)
        if not impossible:
            best = item
            break
        notes.append(f"receipt {item.receipt.id} refused: {impossible}")
    if best is None:
        missing = "no receipt that can be true" if ranked else "no receipt yet"
        sentence = "; ".join([f"{requirement.metric.name}: {missing}", *notes])
        return Part(requirement, CriterionStatus.NOT_MEASURED, None, None, sentence)
    on_target = requirement.compare.holds(best.receipt.value, requirement.target)
    settled = CriterionStatus.MET if on_target else CriterionStatus.NOT_MET
    status = CriterionStatus.PROVISIONAL if best.lacks else settled
    sentence = "; ".join([_sentence(requirement, best, on_target, machine_gpus), *notes])
    return Part(requirement, status, best.receipt, on_target, sentence)


def _may_judge(receipt: Receipt) -> bool:
    return receipt.kind not in (Kind.TARGET, Kind.QUOTED)


def _evidence(requirement: Requirement, receipt: Receipt) -> _Evidence:
    """Return what a receipt shows of a requirement."""
    lacks = []
    stale = is_stale(receipt)
    if stale:
        lacks.append(f"stale: {receipt.kind} by other code than is here now")
    if receipt.name != requirement.metric.name:
        lacks.append(f"{receipt.name} stands in for {requirement.metric.name}")
    if receipt.kind not in requirement.kinds:
        lacks.append(f"{receipt.kind}, not {' or '.join(sorted(requirement.kinds))}")
    lacks += [f"not on {named.words}" for named in requirement.named if _stated(receipt, named.detail) < named.at_least]
    if (receipt.n or 1) < requirement.min_n:
        lacks.append(f"over {receipt.n or 1} of at least {requirement.min_n} {requirement.metric.unit}")
    return _Evidence(receipt, tuple(lacks), stale)


def _stated(receipt: Receipt, detail: str) -> float:
    """Return a number that the details state; 0 where they say nothing, or no number."""
    value = receipt.details.get(detail)
    return 0.0 if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _sentence(requirement: Requirement, best: _Evidence, on_target: bool, machine_gpus: int | None) -> str:
    receipt, unit = best.receipt, requirement.metric.unit
    shown = f"{receipt.name} is {_amount(receipt.value, unit, unlike=requirement.target)}, {receipt.kind}"
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
