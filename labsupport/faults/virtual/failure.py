"""Why a run was stopped, as a sentence with the moment it happened and, for an error, the line of the code at fault."""

from __future__ import annotations

import linecache
import sysconfig
import traceback
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

MESSAGE_CHARS = 300  # one glance
# Frames in these folders are machinery: the line worth showing is in the program that is run.
MACHINERY = (
    str(Path(__file__).parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)


class Cause(StrEnum):
    """What kind of failure ended a run."""

    INVARIANT = "invariant broken"
    ERROR = "error in the code"
    EVENT_LIMIT = "event limit reached"
    END = "wrong at the end"


@dataclass(frozen=True)
class Failure:
    """The moment at which a run went wrong."""

    cause: Cause
    name: str
    """The invariant, the node whose code raised, or what was judged at the end."""
    message: str
    at_s: float
    event: int
    """How many events had happened."""
    line: str = ""
    """`line 12: return leases[0]`, the innermost line of the program, where its code raised."""
    error: BaseException | None = field(default=None, compare=False, repr=False)

    @property
    def bug(self) -> tuple[Cause, str]:
        """What makes two failures the same one, whenever they happen."""
        return self.cause, self.name

    def __str__(self) -> str:
        line = f" ({self.line})" if self.line else ""
        return f"{self.cause} at {self.at_s:.3f} s, event {self.event:,}: {self.name}: {self.message}{line}"


def message_of(error: BaseException) -> str:
    """Return `type: message` on one line, shortened."""
    try:
        message = " ".join(str(error).split())
    except Exception as broken:  # an exception class of the program may raise in its own __str__
        message = f"(its message could not be made: {type(broken).__name__})"
    message = message if len(message) <= MESSAGE_CHARS else f"{message[:MESSAGE_CHARS].rstrip()} ..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def line_of(error: BaseException) -> str:
    """Return `line 12: return leases[0]`, the innermost line that is no library's and not ours, or ""."""
    for frame, line_number in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if not file.startswith(MACHINERY) and not file.startswith("<frozen"):
            return f"line {line_number}: {linecache.getline(file, line_number).strip()}".rstrip(": ")
    return ""
