"""A metric: the name of a number, its unit, the values it can have, and what it means, declared once.

Each package declares what it measures in its `metrics.py`, as constants: `training.recovery_s` is
`labsupport.training.metrics.RECOVERY_S`. A receipt is written from the constant and a criterion asks for it, so no name
is typed twice; what stands in a ledger under another name, in another unit or outside the domain is refused.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from labsupport.receipts.domain import Domain
from labsupport.receipts.quantities import ABOUT_THE_RECEIPT, QUANTITIES, converted

NAME = re.compile(r"[a-z]+(\.[a-z][a-z0-9_]*){1,2}")
MODULE = "metrics"

_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Metric:
    """One metric, such as `Metric("training.recovery_s", "s", POSITIVE, "time from a kill to the next step")`.

    The first part of the name is the package that measures it. A name ends in its unit where the number is a time or a
    rate (`_s`, `_ms`, `_per_s`); a plural noun is a count in that noun; a name without unit is a share (`fraction`), a
    ratio (`x`), or true or false (`bool`). `_max` before the unit is the largest value observed, which is what a
    "less than" is about.

    Raises:
        ValueError: the name is malformed, or the rules know no such quantity in this unit.
    """

    name: str
    unit: str
    domain: Domain
    meaning: str
    quantity: str = ""
    """The name in `quantities.QUANTITIES` under which the physics rules judge it, if they know it."""
    out_of_n: bool = False
    """It counts some of the n samples of its receipt, and so is at most n."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name!r}: a name is <package>.<what>, in lower case")
        if not self.quantity:
            return
        known = QUANTITIES.get(self.quantity)
        if known is None or known.text or known.series or self.quantity in ABOUT_THE_RECEIPT:
            raise ValueError(f"metric {self.name}: {self.quantity!r} is not a number that rules know by that name")
        if converted(1, self.unit, known.unit) is None:
            raise ValueError(f"metric {self.name}: {self.quantity} is in {known.unit!r}, not in {self.unit!r}")

    @property
    def package(self) -> str:
        """The package of labsupport that measures it."""
        return self.name.partition(".")[0]

    @property
    def constant(self) -> str:
        """Where it is declared, as in `labsupport.training.metrics.RECOVERY_S`."""
        what = self.name.partition(".")[2].replace(".", "_").upper()
        return f"labsupport.{self.package}.{MODULE}.{what}"

    def flaw(self, value: float, unit: str, n: int | None = None) -> str | None:
        """Say in one line why no receipt of this metric can hold a number, or None."""
        if unit != self.unit:
            return f"its unit is {self.unit!r}, not {unit!r}"
        if value not in self.domain:
            return f"{self.meaning}: it can only be {self.domain}, not {value:.15g} {unit}"
        if self.out_of_n and n is not None and value > n:
            return f"{self.meaning}: it can only be up to n={n}, not {value:.15g}"
        return None


def find(name: str) -> Metric | None:
    """Return the declared metric of a name, or None."""
    return _declared_in(name.partition(".")[0]).get(name)


def declared() -> tuple[Metric, ...]:
    """Return every metric that a package of labsupport declares."""
    return tuple(metric for package in packages() for metric in _declared_in(package).values())


@functools.cache
def packages() -> tuple[str, ...]:
    """Return the packages of labsupport that declare metrics."""
    return tuple(sorted(file.parent.name for file in _PACKAGE.glob(f"*/{MODULE}.py")))


@functools.cache
def _declared_in(package: str) -> Mapping[str, Metric]:
    # Only what lies in labsupport: the name may come from a ledger that somebody else wrote.
    if package not in packages():
        return {}
    values = vars(import_module(f"labsupport.{package}.{MODULE}")).values()
    return {value.name: value for value in values if isinstance(value, Metric)}


def undeclared(name: str) -> str:
    """Say in one line that a name is not that of a metric, and which one may be meant."""
    near = difflib.get_close_matches(name, [metric.name for metric in declared()], n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; a package declares its metrics in its {MODULE}.py"
    return f"no metric is declared as {name!r}{hint}"
