"""One line of JSON per event and rank: what the progress bar, the fault injector and the comparison of two runs read.

A file per rank, written by that rank alone, line-buffered: it does not depend on Ray's log streaming and survives the
death of its writer. A reader takes whole lines only, so it may follow a file that is still being written, and leaves
out what a killed writer left cut off.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class EventLog:
    """Append the events of one rank to `<folder>/rank<r>.jsonl`."""

    def __init__(self, folder: Path, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / f"rank{rank}.jsonl").open("a+", buffering=1)
        end = self._file.tell()
        if end and os.pread(self._file.fileno(), 1, end - 1) != b"\n":
            self._file.write("\n")  # ends the line that a killed writer left cut off

    def emit(self, event: str, **facts: Any) -> None:
        """Write one event with the wall time and the process id."""
        self._file.write(json.dumps({"event": event, "time": time.time(), "pid": os.getpid(), **facts}) + "\n")

    def close(self) -> None:
        self._file.close()


def read_events(folder: Path, rank: int = 0) -> list[dict[str, Any]]:
    """Return the complete events of one rank so far, oldest first; none when the rank has not started."""
    try:
        text = (folder / f"rank{rank}.jsonl").read_text()
    except FileNotFoundError:
        return []
    *lines, _unfinished = text.split("\n")
    return [event for line in lines if (event := _event(line)) is not None]


def _event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def losses(events: list[dict[str, Any]]) -> dict[int, float]:
    """Return step -> loss; a step that was repeated after a restart counts with its last value."""
    return {event["step"]: float.fromhex(event["loss"]) for event in events if event["event"] == "step"}


def replays_that_differ(events: list[dict[str, Any]]) -> list[int]:
    """Return the steps that ran more than once with different losses: a resume that was not exact."""
    seen: dict[int, str] = {}
    differing: list[int] = []
    for event in events:
        if event["event"] == "step" and seen.setdefault(event["step"], event["loss"]) != event["loss"]:
            differing.append(event["step"])
    return differing
