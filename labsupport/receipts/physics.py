"""The physics lint: numbers that cannot be true together, found by rules over named quantities.

A `Claim` is one line of a benchmark report, or one receipt: a subject and the quantities it states. Every rule says
which quantities it needs; a rule whose quantities are not there is not applicable, and is listed so, never passed in
silence. The same rules judge a vendor's report and the learner's own receipts.

Rules R1 to R20 live in `rules`, by subject; R0 is this module's own: a quantity has a value it can have at all, and a
receipt is of a declared metric, in its unit and within its domain.

Limitations: contradictions between claims that share no quantity are not found (join such lines into one claim, or give
receipts of one run the same `run` detail), nor is anything that is possible but untrue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labsupport.receipts.claim import R0, RUN, Claim, Value, claims_of
from labsupport.receipts.dependence import Dependence, depends_on_the_work
from labsupport.receipts.quantities import QUANTITIES
from labsupport.receipts.receipt import Receipt
from labsupport.receipts.rule import MAX_TOLERANCE, Breach, Clause, Finding, Rule, Severity
from labsupport.receipts.rules import collectives, compute, economy, engines, evidence, memory, scaling, service

__all__ = [
    "RULES",
    "Breach",
    "Claim",
    "Clause",
    "Dependence",
    "Examination",
    "Finding",
    "Rule",
    "Severity",
    "claims_of",
    "depends_on_the_work",
    "examine",
    "lint",
    "lint_receipts",
    "why_impossible",
]

_SUBJECTS = (collectives, compute, economy, engines, evidence, memory, scaling, service)

RULES: tuple[Rule, ...] = tuple(
    sorted((rule for subject in _SUBJECTS for rule in subject.RULES), key=lambda rule: int(rule.code[1:]))
)


@dataclass(frozen=True)
class Examination:
    """What every rule says about one claim."""

    claim: Claim
    findings: tuple[Finding, ...]
    holds: tuple[str, ...]  # codes of rules that applied and were kept
    not_applicable: Mapping[str, tuple[str, ...]] = field(hash=False)  # code -> the fewest quantities it still needs


def examine(claim: Claim) -> Examination:
    """Judge one claim by every rule, and say which rules had nothing to judge."""
    impossible = {name: _outside_domain(name, value) for name, value in claim.quantities.items()}
    findings = [Finding(R0, Severity.ERROR, claim.subject, *why) for why in impossible.values() if why is not None]
    stated = {name: value for name, value in claim.quantities.items() if impossible[name] is None}
    holds: list[str] = []
    not_applicable: dict[str, tuple[str, ...]] = {}
    for rule in RULES:
        lacking = {clause: _lacking(clause, stated) for clause in rule.clauses}
        applicable = [clause for clause, missing in lacking.items() if not missing]
        broken = [finding for clause in applicable if (finding := _judged(rule, clause, claim.subject, stated))]
        findings += broken
        if not applicable:
            not_applicable[rule.code] = min(lacking.values(), key=len)
        elif not broken:
            holds.append(rule.code)
    return Examination(claim, tuple(findings), tuple(holds), not_applicable)


def lint(items: Iterable[Claim | Mapping[str, Any] | Receipt]) -> tuple[Finding, ...]:
    """Return every rule broken by these lines of a report or receipts.

    A mapping is a claim whose optional "subject" names it; without one it is "line 1", "line 2" and so on.

    Raises:
        ValueError: a line states a quantity that no rule knows, or a value of the wrong type.
    """
    findings: list[Finding] = []
    receipts: list[Receipt] = []
    for number, item in enumerate(items, start=1):
        if isinstance(item, Receipt):
            receipts.append(item)
            continue
        if not isinstance(item, Claim):
            quantities = dict(item)
            item = Claim(str(quantities.pop("subject", f"line {number}")), quantities)
        findings += examine(item).findings
    return (*findings, *lint_receipts(receipts))


def why_impossible(receipt: Receipt) -> str | None:
    """Say in one line why a receipt by itself cannot be true, or None."""
    broken = [finding for finding in lint_receipts([receipt]) if finding.severity is Severity.ERROR]
    return "; ".join(f"{finding.rule} {finding.sentence}" for finding in broken) or None


def lint_receipts(receipts: Sequence[Receipt]) -> tuple[Finding, ...]:
    """Return every rule broken by a receipt, by the receipts of one run together, or by a scaling curve of them."""
    claims, findings = claims_of(receipts)
    seen: set[tuple[str, float, float]] = set()
    for claim in claims:
        for finding in examine(claim).findings:
            # What one receipt breaks, its run breaks as well: say it once, at the receipt.
            key = (finding.rule, finding.computed, finding.bound)
            if claim.subject.startswith(RUN) and key in seen:
                continue
            seen.add(key)
            findings.append(finding)
    return tuple(findings)


def _outside_domain(name: str, value: Value) -> tuple[float, float, str] | None:
    """Return computed value, bound and sentence when a quantity has a value it cannot have."""
    if isinstance(value, str):
        return None
    domain = QUANTITIES[name].domain
    for number in value if isinstance(value, tuple) else (value,):
        bound = domain.broken_bound(number)
        if bound is not None:
            return number, bound, f"{name} is {number:g}, it can only be {domain}"
    if name == "claim_tolerance" and isinstance(value, float) and value > MAX_TOLERANCE:
        return value, MAX_TOLERANCE, f"a tolerance of {value:g} excuses anything, at most {MAX_TOLERANCE:g} is accepted"
    return None


def _lacking(clause: Clause, stated: Mapping[str, Value]) -> tuple[str, ...]:
    missing = tuple(name for name in clause.needs if name not in stated)
    usable = [name for name in (*clause.needs, *clause.may_use) if name in stated]
    if not missing and len(usable) < clause.at_least:
        return tuple(name for name in clause.may_use if name not in stated)
    return missing


def _judged(rule: Rule, clause: Clause, subject: str, stated: Mapping[str, Value]) -> Finding | None:
    arguments = {name: stated[name] for name in (*clause.needs, *clause.may_use) if name in stated}
    breach = clause.judge(**arguments)
    if breach is None:
        return None
    return Finding(rule.code, clause.severity, subject, breach.computed, breach.bound, breach.sentence)
