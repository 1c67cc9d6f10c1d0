"""The values that a number can have at all, whatever was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Domain:
    """Bounds of a number; None where there is none."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    whole: bool = False

    def broken_bound(self, value: float) -> float | None:
        """Return the bound that a finite value breaks (the nearest whole number if it should be one), or None."""
        if self.at_least is not None and value < self.at_least:
            return self.at_least
        if self.above is not None and value <= self.above:
            return self.above
        if self.at_most is not None and value > self.at_most:
            return self.at_most
        return float(round(value)) if self.whole and not float(value).is_integer() else None

    def __contains__(self, value: float) -> bool:
        return self.broken_bound(value) is None

    def __str__(self) -> str:
        if self == FLAG:
            return "0 or 1"
        bounds = {"at least": self.at_least, "above": self.above, "at most": self.at_most}
        limits = [f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None]
        if not limits:
            return "a whole number" if self.whole else "any number"
        return ("a whole number, " if self.whole else "") + " and ".join(limits)


ANY = Domain()
POSITIVE = Domain(above=0)
NOT_NEGATIVE = Domain(at_least=0)
AT_LEAST_ONE = Domain(at_least=1)
SHARE = Domain(at_least=0, at_most=1)
COUNT = Domain(at_least=0, whole=True)
FLAG = Domain(at_least=0, at_most=1, whole=True)
