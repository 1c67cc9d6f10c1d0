"""A receipt: one number together with where it came from.

A number in a notebook, a benchmark page or a portfolio is worth what stands behind it. A receipt holds both, so that a
table can show the difference between what a clock measured and what a formula says, and so that a number without an
origin cannot be written down at all.

Limitations: whether the number is plausible is for `physics` to say. The id is a plain content hash: it shows an edit
made by hand and does not stop someone who recomputes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labsupport.receipts.metric import Metric

Scalar = str | int | float | bool | None
Detail = Scalar | tuple[Scalar, ...]

ID_DIGITS = 12
LARGEST_WHOLE = 10**300  # rules compute with floats, which end soon after
LINE_START = '{"id": "'  # every line of a ledger begins so; `ledger` tells a torn receipt from a foreign file by it


class Kind(StrEnum):
    """What stands behind a number, from the strongest evidence to none."""

    MEASURED = "measured"  # a real clock and real work, on named hardware
    SIMULATED = "simulated"  # virtual time, repeatable from a seed
    MODELLED = "modelled"  # a formula with stated inputs
    QUOTED = "quoted"  # somebody else's number, with its source
    TARGET = "target"  # a goal; never a result


_STRENGTH = (Kind.MEASURED, Kind.SIMULATED, Kind.MODELLED, Kind.QUOTED)


@dataclass(frozen=True)
class Receipt:
    """One number and its origin.

    `spread` is half of the interquartile range, in `unit`. `details` carries JSON scalars, or flat lists of them: the
    seed, the statistic, where it ran (`sim | local | kind | gpu | cloud`) and the inputs that the physics rules need,
    under the names of `quantities.QUANTITIES`.

    Raises:
        ValueError: a field that a number of this kind cannot do without is missing or malformed.
    """

    name: str
    value: float
    unit: str
    kind: Kind
    n: int | None
    spread: float | None
    hardware: str
    command: str
    commit: str
    source: str
    at: str
    details: Mapping[str, Detail] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Bring every field to its plain type, then check what the kind asks for."""
        _set(self, "name", _one_line("name", self.name))
        _set(self, "value", _finite("value", self.value))
        _set(self, "unit", _one_line("unit", self.unit))
        _set(self, "kind", _kind(self.kind))
        _set(self, "n", _count(self.n))
        _set(self, "spread", None if self.spread is None else _finite("spread", self.spread))
        if self.spread is not None and self.spread < 0:
            raise ValueError(f"receipt spread is {self.spread!r}: half of an interquartile range cannot be negative")
        for text in ("hardware", "command", "commit", "source"):
            if not isinstance(getattr(self, text), str):
                raise ValueError(f"receipt {text} is {getattr(self, text)!r}: it must be text")
        _check_time(self.at)
        if not isinstance(self.details, Mapping):
            raise ValueError(f"receipt details are {self.details!r}: they must be names with values")
        _set(self, "details", {key: _detail(key, value) for key, value in dict(self.details).items()})
        if self.kind is Kind.MEASURED and not self.hardware.strip():
            raise ValueError(f"receipt hardware is {self.hardware!r}: {self.name} is measured, so name the hardware")
        if self.kind is Kind.QUOTED and not self.source.strip():
            raise ValueError(f"receipt source is {self.source!r}: {self.name} is quoted, so name the source and date")
        if self.kind is Kind.SIMULATED and self.details.get("seed") is None:
            raise ValueError(f"receipt seed is None: {self.name} is simulated, so its details need the seed")

    @property
    def id(self) -> str:
        """Return a short hash of the whole content."""
        return _content_id(asdict(self))

    def to_json_line(self) -> str:
        """Return one line of JSON, without the line break; `from_json` reads it back."""
        content = asdict(self)
        return json.dumps({"id": _content_id(content), **content}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Receipt:
        """Read a receipt that `to_json_line` wrote.

        Raises:
            ValueError: the text is not a receipt, lacks a field, or its content no longer matches its id.
        """
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError(f"a receipt is a JSON object, this is {type(content).__name__}")
        claimed = content.pop("id", None)
        expected = {item.name for item in fields(cls)}
        if content.keys() != expected:
            wrong = sorted(content.keys() ^ expected)
            raise ValueError(f"receipt fields missing or unknown: {', '.join(wrong)}")
        receipt = cls(**content)
        if claimed != receipt.id:
            raise ValueError(f"receipt id is {claimed!r}, its content hashes to {receipt.id!r}: edited by hand")
        return receipt


def weakest(kinds: Iterable[Kind]) -> Kind:
    """Return the kind of a number derived from numbers of these kinds.

    Evidence only weakens: measured > simulated > modelled > quoted. Targets combine with targets alone.

    Raises:
        ValueError: no kinds, or a target among results.
    """
    given = [Kind(kind) for kind in kinds]
    if not given:
        raise ValueError("kinds is empty: a derived number needs at least one source")
    if Kind.TARGET in given:
        if set(given) != {Kind.TARGET}:
            raise ValueError("kinds contain 'target' among results: a goal is not evidence, leave it out")
        return Kind.TARGET
    return max(given, key=_STRENGTH.index)


def derive(
    metric: Metric,
    value: float,
    sources: Sequence[Receipt],
    *,
    formula: str = "",
    kind: Kind | None = None,
    n: int | None = None,
    spread: float | None = None,
    **details: Any,
) -> Receipt:
    """Return the receipt of a number computed from other receipts; it is as weak as the weakest of them.

    Args:
        sources: the receipts the number rests on; hardware, command, commit, code and seed are carried over from them.
        formula: how the value follows from the sources, in one line.
        kind: a weaker kind than the sources have, when the formula itself is a model.

    Raises:
        ValueError: no sources, a target among results, a `kind` stronger than the sources allow, or a value that the
            metric cannot have.
    """
    flaw = metric.flaw(value, metric.unit, n)
    if flaw:
        raise ValueError(f"receipt {metric.name} refused: {flaw}")
    allowed = weakest(source.kind for source in sources)
    chosen = allowed if kind is None else weakest([Kind(kind), allowed])
    if kind is not None and chosen is not Kind(kind):
        raise ValueError(
            f"receipt kind is {str(kind)!r}: {metric.name} rests on {allowed} numbers and cannot be stronger"
        )
    origins = [text for text in dict.fromkeys([formula, *(item.source for item in sources)]) if text]
    seeds = list(dict.fromkeys(item.details["seed"] for item in sources if item.details.get("seed") is not None))
    if seeds and "seed" not in details:
        details["seed"] = seeds[0] if len(seeds) == 1 else tuple(str(seed) for seed in seeds)
    measured_by = {item.details.get("code") for item in sources}
    if len(measured_by) == 1:  # of several versions of the code it is of none
        details["code"] = measured_by.pop()
    return Receipt(
        name=metric.name,
        value=value,
        unit=metric.unit,
        kind=chosen,
        n=n,
        spread=spread,
        hardware=_joined(item.hardware for item in sources),
        command=_joined(item.command for item in sources),
        commit=_joined(item.commit for item in sources),
        source="; ".join([*origins, "derived from " + ", ".join(f"{item.name} ({item.id})" for item in sources)]),
        at=max((item.at for item in sources), key=datetime.fromisoformat),
        details={"derived_from": tuple(item.id for item in sources), **details},
    )


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(text for text in dict.fromkeys(texts) if text)


def _content_id(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()[:ID_DIGITS]


def _set(receipt: Receipt, name: str, value: object) -> None:
    object.__setattr__(receipt, name, value)  # the way a frozen dataclass may still settle its own fields


def _one_line(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError(f"receipt {name} is {value!r}: it must be one non-empty line of text")
    return str(value)


def _finite(name: str, value: object) -> float:
    # numbers.Real takes NumPy's scalars along; bool is a Real too, but True is not a measurement.
    try:
        number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    except OverflowError:  # of a whole number with more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"receipt {name} is {value!r}: it must be a finite number")
    return number


def _count(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not 1 <= int(value) < LARGEST_WHOLE:
        raise ValueError(f"receipt n is {value!r}: it must be a whole number of at least 1, or None")
    return int(value)


def _kind(value: object) -> Kind:
    try:
        return Kind(str(value))
    except ValueError:
        raise ValueError(f"receipt kind is {value!r}: allowed are {', '.join(Kind)}") from None


def _check_time(at: object) -> None:
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() != timedelta(0):
        raise ValueError(f"receipt at is {at!r}: it must be an ISO 8601 time in UTC, such as 2026-01-31T12:00:00+00:00")


def _detail(key: object, value: object) -> Detail:
    if not isinstance(key, str) or not key:
        raise ValueError(f"receipt details key is {key!r}: it must be non-empty text")
    if isinstance(value, list | tuple):
        return tuple(_scalar(key, item) for item in value)
    return _scalar(key, value)


def _scalar(key: str, value: object) -> Scalar:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, numbers.Integral) and abs(int(value)) < LARGEST_WHOLE:
        return int(value)
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral) and math.isfinite(value):
        return float(value)
    raise ValueError(
        f"receipt details {key!r} is {value!r}: allowed are text, finite numbers, booleans, None or a flat list"
    )
