"""Which checkpoint a run resumes from: one rule for a restart by Ray and for a resume by another driver.

The folders of the run decide, newest first, and each is verified before it is used. No list beside them is trusted,
neither Ray's register of checkpoints (one file that is written in place, so that a crash cuts it off) nor a "latest"
link: with the list gone, a run would begin again at step 0 and say nothing. The events say whether checkpoints had
been written, so a run that has lost all of them is refused and does not start afresh.

`starting_point` and `obsolete` decide; the other functions look at the disk for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labsupport import json_lines
from labsupport.errors import LabsError
from labsupport.training.checkpoint import (
    CheckpointError,
    IncompleteError,
    load_random_state,
    load_run_state,
    newest_first,
    serial,
)
from labsupport.training.events import parse_event
from labsupport.training.run_folder import CHECKPOINTS, EVENTS
from labsupport.training.spec import RESUMABLE, TrainSpec

# A checkpoint of a shorter or longer run of the same settings is a state of this run.
OPEN_FIELDS = {*RESUMABLE, "epochs", "max_steps"}


class LostRunError(LabsError):
    """A run had saved something and nothing of it can be used: to start at step 0 would hide the loss."""


@dataclass(frozen=True)
class StartingPoint:
    """What a run resumes from."""

    checkpoint: str | None
    """Name of the checkpoint's folder; None where the run starts at step 0."""
    skipped: Mapping[str, str]
    """Names of newer checkpoints that cannot be used, and why."""


def starting_point(names: Collection[str], verify: Callable[[str], Any], saved_step: int = 0) -> StartingPoint:
    """Choose the newest checkpoint that verifies.

    Args:
        names: what lies where the run keeps its checkpoints.
        verify: raises CheckpointError for one that cannot be used.
        saved_step: the step of the checkpoint that the run had written last; 0: none.

    Raises:
        LostRunError: there were checkpoints and none can be used.
    """
    ordered = newest_first(names)
    skipped = {name: f"{name}: not the name of a checkpoint" for name in sorted(set(names) - set(ordered))}
    newest_step, _ = (serial(ordered[0]) if ordered else None) or (0, 0)
    if newest_step < saved_step:
        skipped[f"step {saved_step}"] = f"the checkpoint of step {saved_step} is gone"
    is_damaged = False
    for name in ordered:
        try:
            verify(name)
        except CheckpointError as error:
            skipped[name] = str(error)
            is_damaged |= not isinstance(error, IncompleteError)
        else:
            return StartingPoint(name, skipped)
    # One that is incomplete, in a run that had written none, is the first one, cut off by a crash: nothing is lost.
    if saved_step or is_damaged:
        raise LostRunError("; ".join(skipped.values()))
    return StartingPoint(None, skipped)


def obsolete(names: Collection[str], skipped: Collection[str], keep: int) -> list[str]:
    """Return the checkpoints older than the newest `keep` ones, where those that were skipped do not count.

    A skipped one goes as well, once that many newer ones are there.
    """
    ordered = newest_first(names)
    kept = [name for name in ordered if name not in skipped][:keep]
    return ordered[ordered.index(kept[-1]) + 1 :] if len(kept) == keep else []


def find_starting_point(run: Path, spec: TrainSpec) -> StartingPoint:
    """Choose what the run in a folder resumes from, by what is on the disk.

    Raises:
        LostRunError: it had checkpoints and none can be used.
        LabsError: the folder cannot be read.
    """
    folder, names, saved_step = run / CHECKPOINTS, checkpoint_names(run), last_saved_step(run)
    try:
        return starting_point(names, lambda name: verify(folder / name, spec), saved_step)
    except LostRunError as error:
        raise LostRunError(
            f"the run in {run} had saved checkpoints, and none of them can be used: {error}; put a copy of one back, "
            "or start a new run in another folder"
        ) from error


def remove_obsolete(run: Path, skipped: Collection[str], keep: int) -> None:
    """Remove the checkpoints that newer ones make superfluous.

    One that cannot be removed now is tried again with the next checkpoint; no training ends because of it.
    """
    for name in obsolete(checkpoint_names(run), skipped, keep):
        shutil.rmtree(run / CHECKPOINTS / name, ignore_errors=True)


def checkpoint_names(run: Path) -> list[str]:
    """Return the names of the folders among a run's checkpoints.

    Raises:
        LabsError: they cannot be read.
    """
    folder = run / CHECKPOINTS
    try:
        return [entry.name for entry in folder.iterdir() if entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabsError(f"{folder}: {error.strerror}") from error


def verify(checkpoint: Path, spec: TrainSpec) -> None:
    """Read every file of a checkpoint.

    Raises:
        CheckpointError: one is missing, altered, or of another step, run or format.
    """
    state = load_run_state(checkpoint)
    step, _ = serial(checkpoint.name) or (None, None)
    if state["step"] != step:
        raise CheckpointError(f"{checkpoint}: holds step {state['step']}")
    ours = spec.as_dict()
    for name, value in state["spec"].items():
        if name in ours and name not in OPEN_FIELDS and value != ours[name]:
            raise CheckpointError(f"{checkpoint}: is of another run, with {name} {value!r} and not {ours[name]!r}")
    for rank in range(state["world_size"]):
        load_random_state(checkpoint, rank)


def last_saved_step(run: Path) -> int:
    """Return the step of the last checkpoint that the events of a run tell of, or 0.

    The events of one rank are enough, since all ranks write a checkpoint together: here those of the rank that wrote
    last, as a rank above today's number of workers knows old checkpoints only.

    Raises:
        LabsError: a file of events cannot be read.
    """
    newest: tuple[float, int] = (0.0, 0)
    for file in (run / EVENTS).glob("rank*.jsonl"):
        try:
            events = json_lines.read(file, parse_event).entries
        except OSError as error:
            raise LabsError(f"{file}: {error.strerror}") from error
        # A start says where the run came back, which may be an older checkpoint than it had written last.
        steps = [event["step"] for event in events if event["event"] in ("start", "checkpoint") and "step" in event]
        if steps:
            newest = max(newest, (float(events[-1].get("time", 0.0)), int(steps[-1])))
    return newest[1]
