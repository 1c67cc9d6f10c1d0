"""What a physics rule is: an inequality or an equation over named quantities, kept as a pure function.

A clause is a function whose parameters are names of `quantities.QUANTITIES`: a parameter without a default is needed,
one with a default is used when the claim states it. The function returns None when the numbers can be true together,
and a Breach when they cannot. A rule is a code, a title and its clauses, so that a reader can add one without touching
the engine in `physics`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from labsupport.receipts.quantities import QUANTITIES

TOLERANCE = 0.02  # three printed digits are off by at most 0.5 %; who prints fewer states a claim_tolerance
ROUNDING = 1e-9  # 1 - 0.98 is a little more than 0.02 in binary
MAX_TOLERANCE = 0.25  # a claim may state its own, but not one that excuses anything


class Severity(StrEnum):
    """ERROR: cannot be true. WARNING: can be true, and needs a written explanation."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Breach:
    """Numbers that cannot be true together: what follows from them, the bound, and one sentence."""

    computed: float
    bound: float
    sentence: str


@dataclass(frozen=True)
class Finding:
    """A rule broken by a claim."""

    rule: str
    severity: Severity
    subject: str
    computed: float
    bound: float
    sentence: str

    def __str__(self) -> str:
        return f"{self.rule} {self.severity}: {self.subject}: {self.sentence}"


@dataclass(frozen=True)
class Clause:
    """One inequality or equation of a rule.

    `at_least` is how many of its quantities a claim must state, for a clause whose quantities are all optional.
    """

    severity: Severity
    judge: Callable[..., Breach | None]
    at_least: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.needs, *self.may_use) if name not in QUANTITIES]
        if unknown:
            raise ValueError(f"clause {self.judge.__name__}: {unknown[0]!r} is not a name of QUANTITIES")

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Return the quantities without which the clause says nothing."""
        return tuple(name for name, has_default in self._parameters if not has_default)

    @cached_property
    def may_use(self) -> tuple[str, ...]:
        """Return the quantities the clause takes into account when they are stated."""
        return tuple(name for name, has_default in self._parameters if has_default)

    @cached_property
    def _parameters(self) -> tuple[tuple[str, bool], ...]:
        signature = inspect.signature(self.judge)
        return tuple((name, item.default is not item.empty) for name, item in signature.parameters.items())


@dataclass(frozen=True)
class Rule:
    """A rule of the physics lint."""

    code: str
    title: str
    clauses: tuple[Clause, ...]

    @property
    def severity(self) -> Severity:
        """Return the gravest severity among the clauses."""
        return Severity.ERROR if any(item.severity is Severity.ERROR for item in self.clauses) else Severity.WARNING


def exceeds(value: float, bound: float, tolerance: float = TOLERANCE) -> bool:
    """Say whether a non-negative value lies above a bound by more than the tolerance."""
    return value > bound * (1 + tolerance + ROUNDING)


def differs(printed: float, computed: float, tolerance: float = TOLERANCE) -> bool:
    """Say whether two values of one quantity differ by more than the tolerance."""
    return abs(printed - computed) > (tolerance + ROUNDING) * abs(computed)
