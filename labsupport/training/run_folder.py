"""The folder of one training run: its spec, the events of its ranks and its checkpoints.

A run that was interrupted is resumed by training its spec into the same folder. The spec is kept there, so that no
other run is resumed in it, and a lock is held while it trains, so that no two processes do at the same time.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from labsupport.durable import make_folder_durably, sync_folder, write_durably
from labsupport.errors import FieldError, LabsError
from labsupport.training.events import read_events
from labsupport.training.spec import RESUMABLE, TrainSpec
from labsupport.workspace import workspace

SPEC_FILE = "spec.json"
LOCK_FILE = "lock"
EVENTS = "events"
CHECKPOINTS = "checkpoints"


def make(name: str) -> Path:
    """Make a folder for one run under `runs` in the workspace; its name sorts by time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = workspace("runs") / f"{stamp}-{name}-{uuid.uuid4().hex[:4]}"
    folder.mkdir()
    return folder


def make_for(spec: TrainSpec) -> Path:
    """Make a folder for a run, named after model and data set."""
    return make(f"train-{spec.model}-{spec.dataset}".replace(":", "-").replace("/", "-"))


@contextmanager
def claimed(folder: Path, spec: TrainSpec) -> Iterator[None]:
    """Keep a run's folder, made if need be, for one block, with its spec noted there.

    Raises:
        LabsError: a run of another spec was started there, one is being trained there now, or it cannot be written.
    """
    from filelock import FileLock, Timeout

    with ExitStack() as stack:
        try:
            if not folder.exists():
                folder.mkdir(parents=True)
                sync_folder(folder.parent)
            # Released with the process, however it ends.
            stack.enter_context(FileLock(folder / LOCK_FILE, timeout=0))
            for part in (EVENTS, CHECKPOINTS):
                make_folder_durably(folder / part)
        except Timeout:
            raise LabsError(f"the run in {folder} is being trained by another process: wait for it or end it") from None
        except OSError as error:
            raise LabsError(
                f"run folder {folder}: cannot be written ({error.strerror}: {error.filename or folder}); use another "
                "one, or resume a copy of the run"
            ) from error
        file = folder / SPEC_FILE
        if file.exists():
            _assert_same_run(_spec(file), spec, folder)
        else:
            write_durably(file, json.dumps(spec.as_dict(), indent=1).encode())
        yield


def unfinished(folder: Path, changes: Mapping[str, Any] | None = None) -> TrainSpec:
    """Return the spec of the run in a folder, to resume it.

    Args:
        changes: fields to be set otherwise; only those that do not decide the result (labsupport.training.spec).

    Raises:
        LabsError: no run was started there, or it has ended.
        FieldError: a change would make it another run.
    """
    stored = _spec(folder / SPEC_FILE)
    wanted = replace(stored, **(changes or {}))
    _assert_same_run(stored, wanted, folder)
    if any(event["event"] == "end" for event in read_events(folder / EVENTS)):
        raise LabsError(f"the run in {folder} has ended: there is nothing to resume")
    return wanted


def _assert_same_run(stored: TrainSpec, wanted: TrainSpec, folder: Path) -> None:
    was, now = stored.as_dict(), wanted.as_dict()
    for field in was:
        if field not in RESUMABLE and was[field] != now[field]:
            raise FieldError(
                lambda name, field=field: (  # type: ignore[misc]
                    f"{name(field)} is {now[field]!r}, and the run in {folder} was started with {was[field]!r}: leave "
                    "it as it was, or start a new run in another folder"
                )
            )


def _spec(file: Path) -> TrainSpec:
    try:
        values = json.loads(file.read_text())
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise LabsError(
            f"{file.parent}: no run can be resumed there, since {SPEC_FILE} cannot be read ({reason}); put a copy "
            "back, or start a new run in another folder"
        ) from error
    try:
        return TrainSpec.from_dict(values)
    except LabsError as error:
        raise LabsError(f"{file}: {error}") from error
