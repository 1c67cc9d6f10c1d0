"""What happened in a run, in order: the event log that two runs of one seed share byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Happened(StrEnum):
    """Kinds of log entries."""

    START = "start"
    CRASH = "crash"
    SEND = "send"
    RECEIVE = "receive"
    LOST = "lost"
    TIMER = "timer"
    DISK = "disk"
    NOTE = "note"
    STATE = "state"
    INVOKE = "invoke"
    COMPLETE = "complete"
    ACCEPT = "accept"
    FAULT = "fault"
    REVERT = "revert"
    BROKEN = "broken"


class Entry(NamedTuple):
    """One line of the log."""

    at_s: float
    kind: Happened
    node: str
    """Where it happened; "" for what concerns the world."""
    text: str
    peer: str = ""
    """The other end of a message."""
    number: int = 0
    """The same for the sending and the receipt, or loss, of a message; for the call and the return of an operation."""

    def __str__(self) -> str:
        peer = f" {'to' if self.kind is Happened.SEND else 'from'} {self.peer}" if self.peer else ""
        number = f" #{self.number}" if self.number else ""
        return f"{self.at_s:.6f} {self.node or '-'} {self.kind}{peer}{number} {self.text}".rstrip()


def log_text(entries: Iterable[Entry]) -> str:
    """Return the log, one entry a line."""
    return "".join(f"{entry}\n" for entry in entries)


def log_digest(entries: Iterable[Entry]) -> str:
    """Return the sha256 of the log, equal for equal runs."""
    return hashlib.sha256(log_text(entries).encode("utf-8", "backslashreplace")).hexdigest()
