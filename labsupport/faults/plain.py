"""Messages as plain data: copied on the way, written the same in every run, and measured in bytes.

A message that two nodes shared by reference would be a channel that no partition cuts, so each receiver gets a copy of
its own. The text of a message must not depend on the process that made it: sets are written in order, and objects
without their address.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import re
from typing import Any

from labsupport.errors import LabsError

ATOMS = frozenset({type(None), bool, int, float, str, bytes})
TEXT_CHARS = 200  # of one message in the log; longer ones are cut
FLOAT_DIGITS = 6  # after the point: microseconds, where a number is a time
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
FRAME_BYTES = (
    8  # of a number, and of the framing of each element: the scale of a binary encoding, not one in particular
)


def copied(message: Any) -> Any:
    """Return a message that shares nothing mutable with the given one.

    Raises:
        LabsError: it holds something that cannot be copied, such as a node, a lock or a generator.
    """
    kind = type(message)
    if kind in ATOMS:
        return message
    if kind is dict:
        return {key: value if type(value) in ATOMS else copied(value) for key, value in message.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(part if type(part) in ATOMS else copied(part) for part in message)
    fields = _frozen_fields(kind)  # type: ignore[arg-type]  # classes are hashable
    if fields is not None and all(type(getattr(message, name)) in ATOMS for name in fields):
        return message
    try:
        return copy.deepcopy(message)
    except (TypeError, RecursionError) as error:
        raise LabsError(
            f"message {text_of(message)}: cannot be copied ({error}); send numbers, text, collections or dataclasses"
        ) from error


def text_of(message: Any) -> str:
    """Return a message on one line, the same in every process, at most `TEXT_CHARS` long."""
    text = _text(message)
    return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]}..."


def size_bytes(message: Any) -> int:
    """Return the size of a message on the wire, which is what a throttled link counts."""
    if isinstance(message, str):
        return FRAME_BYTES + len(message.encode("utf-8", "replace"))
    if isinstance(message, (bytes, bytearray)):
        return FRAME_BYTES + len(message)
    if isinstance(message, dict):
        return FRAME_BYTES + sum(size_bytes(key) + size_bytes(value) for key, value in message.items())
    if isinstance(message, (list, tuple, set, frozenset)):
        return FRAME_BYTES + sum(map(size_bytes, message))
    if dataclasses.is_dataclass(message):
        return FRAME_BYTES + sum(size_bytes(getattr(message, field.name)) for field in dataclasses.fields(message))
    return FRAME_BYTES


@functools.cache
def _frozen_fields(kind: type) -> tuple[str, ...] | None:
    """Return the fields of a frozen dataclass, which need no copy where none of them can change; None for others."""
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


def _text(message: Any) -> str:
    kind = type(message)
    if kind is str:
        return repr(message[:TEXT_CHARS])
    if kind is bytes:
        return repr(message) if len(message) <= 32 else f"<{len(message):,} bytes>"
    if kind is float:
        return repr(round(message, FLOAT_DIGITS))
    if kind in ATOMS:
        return repr(message)
    if kind is dict:
        return "{" + ", ".join(f"{_text(key)}: {_text(value)}" for key, value in message.items()) + "}"
    if kind is list:
        return "[" + ", ".join(map(_text, message)) + "]"
    if kind is tuple:
        return "(" + ", ".join(map(_text, message)) + ("," if len(message) == 1 else "") + ")"
    if kind in (set, frozenset):
        return "{" + ", ".join(sorted(map(_text, message))) + "}"
    if dataclasses.is_dataclass(kind):
        parts = (f"{field.name}={_text(getattr(message, field.name))}" for field in dataclasses.fields(message))
        return f"{kind.__name__}({', '.join(parts)})"
    return ADDRESS.sub("", " ".join(repr(message).split()))
