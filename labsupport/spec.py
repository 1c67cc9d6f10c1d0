"""A spec: a job as data, whose fields say once what they hold, within which bounds, and what they are for.

    @dataclass(frozen=True)
    class BenchSpec(Spec):
        rounds: int = setting(5, "measurements per variant", at_least=3)

An instance holds only values that its fields allow; the options of a command and their help are built from the same
fields (labsupport.cli.spec_options). A spec converts to plain JSON values and back.

Limitations: a field is a bool, int, float, str or a mapping of str to str, or one of these or None.
"""

from __future__ import annotations

import difflib
import math
import numbers
import os
import types
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from labsupport.errors import FieldError, LabsError

KEY = "setting"  # of a dataclass field's metadata
NOUNS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    Mapping: "a mapping of text to text",
}
SHOWN_CHARACTERS = 60  # of a refused value


@dataclass(frozen=True)
class Setting:
    """What one field of a spec may hold, and what it is for."""

    name: str
    default: Any
    help: str
    """A phrase in lower case, for the help of a command."""
    kind: Any
    """bool, int, float, str or Mapping."""
    optional: bool
    """Whether None is allowed, too."""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The values that the field takes, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        noun = NOUNS[self.kind]
        limits = {"above": self.above, "at least": self.at_least, "below": self.below, "at most": self.at_most}
        bounds = " and ".join(f"{words} {bound}" for words, bound in limits.items() if bound is not None)
        return f"{noun} of {bounds}" if bounds.startswith("at ") else f"{noun} {bounds}".rstrip()

    def accept(self, value: Any) -> Any:
        """Return the value as a plain one of the field's type.

        Raises:
            FieldError: it is of another type, or out of bounds.
        """
        if value is None and self.optional:
            return None
        plain = _plain(self.kind, value)
        if plain is None or not self._in_bounds(plain) or (self.choices and plain not in self.choices):
            # As a person writes it: a command line makes -1.0 of -1.
            written = f"{value:.15g}" if self.kind is float and isinstance(value, float) else shown(value)
            raise FieldError(lambda name: f"{name(self.name)} is {written}: {self.allowed} is needed")
        return plain

    def _in_bounds(self, value: Any) -> bool:
        if self.kind is float and not math.isfinite(value):
            return False
        return (
            (self.above is None or value > self.above)
            and (self.at_least is None or value >= self.at_least)
            and (self.below is None or value < self.below)
            and (self.at_most is None or value <= self.at_most)
        )


def setting(
    default: Any,
    help: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field of a spec; numbers are finite and within the bounds, texts one of `choices` if there are any."""
    limits = {"at_least": at_least, "above": above, "at_most": at_most, "below": below, "choices": choices}
    return field(default=default, metadata={KEY: {"help": help, **limits}})


class Spec:
    """The base of a frozen dataclass whose fields are declared with `setting`."""

    def __post_init__(self) -> None:
        for one in settings(type(self)):
            object.__setattr__(self, one.name, one.accept(getattr(self, one.name)))

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for a file, a log or a worker in another process."""
        return asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the spec that `as_dict` gave; a field it lacks, because it is newer, has its default.

        Raises:
            LabsError: a name is not that of a field: with it ignored, a renamed field would silently have its default.
        """
        known = [one.name for one in settings(cls)]
        for name in values:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                hint = f"; did you mean {close[0]}?" if close else f": the fields are {', '.join(known)}"
                raise LabsError(f"{cls.__name__} has no field {shown(name)}{hint}")
        return cls(**values)


def settings(spec: type[Spec]) -> tuple[Setting, ...]:
    """Return what the fields of a spec may hold, in their order."""
    hints = get_type_hints(spec)
    return tuple(
        Setting(one.name, one.default, **one.metadata[KEY], **_kind(hints[one.name]))
        for one in fields(spec)  # type: ignore[arg-type]  # every subclass is a dataclass
    )


def _kind(annotation: Any) -> dict[str, Any]:
    allowed = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    (kind,) = (one for one in allowed if one is not types.NoneType)
    return {"kind": get_origin(kind) or kind, "optional": types.NoneType in allowed}


def _plain(kind: Any, value: Any) -> Any:
    """Return a value of NumPy, pathlib or the like as one that JSON has a word for; None if it is of another kind."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is int:
        return int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else None
    if kind is float:
        return _plain_float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else None
    if kind is str:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        return text if isinstance(text, str) and text else None
    return _plain_mapping(value)


def _plain_float(value: numbers.Real) -> float:
    try:
        return float(value)
    except OverflowError:  # of a whole number with more than 308 digits
        return math.inf


def _plain_mapping(value: Any) -> dict[str, str] | None:
    if not isinstance(value, Mapping):
        return None
    return dict(value) if all(isinstance(text, str) and text for text in (*value.keys(), *value.values())) else None


def shown(value: Any) -> str:
    """Return a refused value as a line can show it: True for 1 and text in quotes, so that the type is seen."""
    text = " ".join((str(value) if isinstance(value, float) else repr(value)).split())
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."
