"""A claim: the quantities that one line of a report, or one receipt, states about its subject.

Receipts of one run are also judged together, and so are the points of a scaling curve: a vendor's 0.99 at 8 GPUs only
looks odd beside the 0.97 at 4.

Limitations: quantiles of different receipts are not joined, since nothing says that a p50 and a p99 are of one
distribution. Give one receipt both, as details.
"""

from __future__ import annotations

import difflib
import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labsupport.receipts.metric import Metric, find, undeclared
from labsupport.receipts.quantities import ABOUT_THE_RECEIPT, QUANTITIES, converted
from labsupport.receipts.receipt import Receipt
from labsupport.receipts.rule import MAX_TOLERANCE, TOLERANCE, Finding, Severity

Value = float | str | tuple[float, ...]

R0 = "R0"  # a quantity has a value it can have at all, in its own unit
RUN = "run "  # how the subject of a joined claim begins

_QUANTILES = frozenset({"min_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms"})


@dataclass(frozen=True)
class Claim:
    """A subject and the quantities stated about it, under the names and in the units of `QUANTITIES`.

    Raises:
        ValueError: a name that no rule knows, or a value of the wrong type.
    """

    subject: str
    quantities: Mapping[str, Value] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Bring every quantity to a float, text or a tuple of floats."""
        settled = {name: _value(self.subject, name, value) for name, value in dict(self.quantities).items()}
        object.__setattr__(self, "quantities", settled)


def claims_of(receipts: Sequence[Receipt]) -> tuple[list[Claim], list[Finding]]:
    """Return the claims that receipts make, and a finding for each quantity stated in a unit or type it cannot have.

    One claim per receipt; one per `run` detail, joining what its receipts agree on; one per scaling curve, joining the
    efficiencies of one name, run, mode and hardware at several worker counts.
    """
    findings: list[Finding] = []
    claims: list[Claim] = []
    runs: dict[str, list[Claim]] = defaultdict(list)
    curves: dict[tuple[str, ...], dict[float, tuple[float, float]]] = defaultdict(dict)
    for receipt in receipts:
        claim, problems = _claim_of(receipt)
        claims.append(claim)
        findings += problems
        run = str(receipt.details.get("run") or "")
        if run:
            runs[run].append(claim)
        workers, efficiency = claim.quantities.get("workers"), claim.quantities.get("scaling_efficiency")
        if isinstance(workers, float) and isinstance(efficiency, float) and workers > 0 and efficiency > 0:
            noise = (receipt.spread or 0) / abs(receipt.value) if receipt.value else 0.0
            mode = str(claim.quantities.get("scaling_mode", ""))
            curves[(receipt.name, run, mode, receipt.hardware)][workers] = (efficiency, noise)
    joined = [_joined(run, members) for run, members in runs.items() if len(members) > 1]
    drawn = [_curve(key[0], key[2], points) for key, points in curves.items() if len(points) > 1]
    return [*claims, *joined, *drawn], findings


def _value(subject: str, name: str, value: object) -> Value:
    if name not in QUANTITIES:
        near = difflib.get_close_matches(name, QUANTITIES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; see QUANTITIES for the names that rules know"
        raise ValueError(f"claim {subject!r} states {name!r}, which no rule knows{hint}")
    quantity = QUANTITIES[name]
    if quantity.text:
        if not isinstance(value, str):
            raise ValueError(f"claim {subject!r}: {name} is {value!r}, it must be text ({quantity.unit})")
        return str(value)
    if quantity.series:
        items = value if isinstance(value, list | tuple) else (value,)
        if not items:
            raise ValueError(f"claim {subject!r}: {name} is empty, it needs at least one number ({quantity.unit})")
        return tuple(_number(subject, name, item) for item in items)
    return _number(subject, name, value)


def _number(subject: str, name: str, value: Any) -> float:
    try:
        number = math.nan if isinstance(value, str | bool) or not hasattr(value, "__float__") else float(value)
    except OverflowError:  # of a whole number with more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        unit = QUANTITIES[name].unit
        raise ValueError(f"claim {subject!r}: {name} is {value!r}, it must be a finite number ({unit})")
    return number


def _claim_of(receipt: Receipt) -> tuple[Claim, list[Finding]]:
    """Return the claim of one receipt: its value under the quantity it states, and the quantities in its details."""
    subject = f"{receipt.name} ({receipt.id})"
    quantities: dict[str, Value] = {"kind": receipt.kind.value, "measured_value": receipt.value}
    findings: list[Finding] = []
    if receipt.n is not None:
        quantities["samples"] = float(receipt.n)
    if receipt.spread is not None:
        quantities["spread"] = receipt.spread
    for name, value in receipt.details.items():
        if name not in QUANTITIES or value is None or name == "kind":
            continue
        try:
            quantities[name] = _value(subject, name, value)
        except ValueError as error:
            findings.append(Finding(R0, Severity.ERROR, subject, math.nan, math.nan, str(error)))
    metric = find(receipt.name)
    flaw = metric.flaw(receipt.value, receipt.unit, receipt.n) if metric else undeclared(receipt.name)
    if metric is None or flaw:
        findings.append(Finding(R0, Severity.ERROR, subject, receipt.value, math.nan, str(flaw)))
        return Claim(subject, quantities), findings
    if metric.domain.whole:
        quantities.setdefault("statistic", "flag" if metric.unit == "bool" else "count")
    elif quantities.get("statistic") in ("count", "flag"):
        sentence = f"{metric.name} is not a {quantities.pop('statistic')}; it was judged as a measurement"
        findings.append(Finding(R0, Severity.WARNING, subject, receipt.value, math.nan, sentence))
    if metric.quantity:
        quantities[metric.quantity] = _stated(subject, metric, receipt.value)
    return Claim(subject, quantities), findings


def _stated(subject: str, metric: Metric, value: float) -> Value:
    """Return a metric's value in the unit of the quantity it states."""
    return _value(subject, metric.quantity, converted(value, metric.unit, QUANTITIES[metric.quantity].unit))


def _joined(run: str, members: Sequence[Claim]) -> Claim:
    """Return one claim of what the receipts of a run agree on; what they disagree on belongs to each alone."""
    values: dict[str, set[Value]] = defaultdict(set)
    for member in members:
        for name, value in member.quantities.items():
            values[name].add(value)
    agreed = {
        name: next(iter(found))
        for name, found in values.items()
        if len(found) == 1 and name not in ABOUT_THE_RECEIPT | _QUANTILES
    }
    names = ", ".join(member.subject.partition(" (")[0] for member in members)
    return Claim(f"{RUN}{run}: {names}", agreed)


def _curve(name: str, mode: str, points: Mapping[float, tuple[float, float]]) -> Claim:
    """Return the claim of a scaling curve; its noise is the median relative spread, where that is above 2 %."""
    counts = sorted(points)
    noise = statistics.median(points[count][1] for count in counts)
    quantities: dict[str, Value] = {
        "worker_counts": tuple(counts),
        "efficiencies": tuple(points[count][0] for count in counts),
        "claim_tolerance": min(max(noise, TOLERANCE), MAX_TOLERANCE),
    }
    if mode:
        quantities["scaling_mode"] = mode
    return Claim(f"{name} over {', '.join(f'{count:g}' for count in counts)} workers", quantities)
