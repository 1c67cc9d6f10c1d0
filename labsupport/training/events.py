"""One line of JSON per event and rank: what the progress bar, the fault injector and the comparison of two runs read.

A file per rank, written by that rank alone and without a sync: it does not depend on Ray's log streaming and survives
the death of its writer. A reader takes whole lines only, so it may follow a file that is still being written. What a
killed writer left cut off is left out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labsupport import json_lines


class EventLog:
    """Append the events of one rank to `<folder>/rank<r>.jsonl`."""

    def __init__(self, folder: Path, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.step = 0
        """The last step that an event told of."""
        self._descriptor = json_lines.open_for_appending(events_file(folder, rank))

    def emit(self, event: str, **facts: Any) -> None:
        """Write one event with the wall time and the process id."""
        self.step = facts.get("step", self.step)
        line = json.dumps({"event": event, "time": time.time(), "pid": os.getpid(), **facts})
        json_lines.write_line(self._descriptor, line)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def events_file(folder: Path, rank: int = 0) -> Path:
    """Return the file that a rank writes its events to."""
    return folder / f"rank{rank}.jsonl"


def read_events(folder: Path, rank: int = 0) -> list[dict[str, Any]]:
    """Return the complete events of one rank so far, oldest first; none when the rank has not started."""
    return list(json_lines.read(events_file(folder, rank), parse_event).entries)


def parse_event(line: bytes) -> dict[str, Any]:
    """Return the event that a line holds.

    Raises:
        ValueError: it holds none.
    """
    event = json.loads(line)
    if not (isinstance(event, dict) and isinstance(event.get("event"), str)):
        raise ValueError("an event is a JSON object with the key event")
    return event


def follow_events(folder: Path, rank: int = 0) -> json_lines.Follower[dict[str, Any]]:
    """Return a reader of one rank's events whose every call of `new` has those since the call before."""
    return json_lines.Follower(events_file(folder, rank), parse_event)


def losses(events: list[dict[str, Any]]) -> dict[int, float]:
    """Return step -> loss; a step that was repeated after a restart counts with its last value.

    That is the mean over all workers, which is known from the next checkpoint on; until then, and in a run of one
    worker, it is the loss of this rank's share.
    """
    found: dict[int, float] = {}
    for event in events:
        if event["event"] == "step":
            found[event["step"]] = float.fromhex(event["loss"])
        elif event["event"] == "losses":
            first = event["step"] - len(event["losses"]) + 1
            found.update({step: float.fromhex(loss) for step, loss in enumerate(event["losses"], start=first)})
    return found


def losses_in_hex(events: Sequence[dict[str, Any]]) -> dict[int, str]:
    """Return step -> loss, bit for bit; unlike two floats, the texts of two NaN are equal."""
    return {step: loss.hex() for step, loss in losses(list(events)).items()}


def replays_that_differ(events: list[dict[str, Any]]) -> list[int]:
    """Return the steps that ran more than once with different losses: a resume that was not exact.

    Steps of as many workers are compared: another number of them has other shares.
    """
    seen: dict[tuple[int, int], str] = {}
    differing: list[int] = []
    world_size = 1
    for event in events:
        if event["event"] == "start":
            world_size = event.get("world_size", 1)
        elif event["event"] == "step" and seen.setdefault((world_size, event["step"]), event["loss"]) != event["loss"]:
            differing.append(event["step"])
    return differing
