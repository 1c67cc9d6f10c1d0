"""Rule R20 on running code: replace the work by nothing and see whether the number notices.

A published benchmark printed `0.85 + 0.1 * random()` as its scaling efficiency: its acceptance test, at least 0.85,
passed 2000 times out of 2000 without training anything. No look at the number finds that; running it twice does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labsupport.receipts.rule import Finding, Severity
from labsupport.receipts.rules.evidence import value_depends_on_the_work

Work = TypeVar("Work")

MIN_SEEDS = 4  # four against four values separate by chance in 2 of 70 cases, eight against eight in 2 of 12870
DEFAULT_SEEDS = tuple(range(8))


@dataclass(frozen=True)
class Dependence:
    """Whether a metric comes from the work it describes; true when it does."""

    values_with_work: tuple[float, ...]
    values_without_work: tuple[float, ...]
    finding: Finding | None

    def __bool__(self) -> bool:
        return self.finding is None


def depends_on_the_work(
    measure: Callable[[Work, int], float],
    work: Work,
    no_op: Work,
    *,
    subject: str = "the metric",
    seeds: Sequence[int] = DEFAULT_SEEDS,
) -> Dependence:
    """Say whether a metric changes when its work is replaced by nothing (rule R20).

    `measure(work, seed)` runs under every seed, with the work and with the no-op. A benchmark that prints
    `0.85 + 0.1 * random()` gives the same values both times and is refused; so is a constant. A no-op under which the
    measurement raises, or yields no finite number, counts as dependence: without the work there is no value.

    Limitations: a metric that follows the work in the wrong direction or size is accepted, and an honest one whose
    noise is wider than the effect of the work is refused.

    Raises:
        ValueError: fewer than 4 seeds, or the measurement yields no finite number with the real work.
    """
    if len(set(seeds)) < MIN_SEEDS:
        raise ValueError(f"seeds are {tuple(seeds)!r}: at least {MIN_SEEDS} different ones are needed")
    with_work = tuple(float(measure(work, seed)) for seed in seeds)
    if not all(map(math.isfinite, with_work)):
        raise ValueError(f"{subject} is {with_work!r} with the real work: it must be finite under every seed")
    without_work = tuple(value for seed in seeds if (value := _without_work(measure, no_op, seed)) is not None)
    if not without_work:
        return Dependence(with_work, (), None)
    breach = value_depends_on_the_work(with_work, without_work)
    if breach is None:
        return Dependence(with_work, without_work, None)
    finding = Finding("R20", Severity.ERROR, subject, breach.computed, breach.bound, breach.sentence)
    return Dependence(with_work, without_work, finding)


def _without_work(measure: Callable[[Work, int], float], no_op: Work, seed: int) -> float | None:
    try:
        value = float(measure(no_op, seed))
    except Exception:  # whatever a foreign benchmark does when its work returns nothing: it gave no number
        return None
    return value if math.isfinite(value) else None
