"""The folder of one training run: its spec, the events of its ranks and its checkpoints.

A run that was interrupted is continued by training the same spec into the same folder; the spec is kept there, so that
no other one does, and a lock is held while it trains, so that nobody does at the same time.
"""

from __future__ import annotations

import fcntl
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from labsupport.durable import write_durably
from labsupport.errors import LabsError
from labsupport.training.events import read_events
from labsupport.training.spec import TrainSpec
from labsupport.workspace import workspace

SPEC_FILE = "spec.json"
LOCK_FILE = "lock"


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
    file = folder / SPEC_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("w")
    except OSError as error:
        raise LabsError(f"run folder {folder}: cannot be written ({error.strerror}); name another one") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released with the process, however it ends
        except BlockingIOError:
            raise LabsError(f"the run in {folder} is being trained by another process: wait for it or end it") from None
        if not file.exists():
            write_durably(file, json.dumps(spec.as_dict(), indent=1).encode())
        elif _spec(file) != spec:
            raise LabsError(f"the run in {folder} has another spec: its {SPEC_FILE} says which")
        yield


def unfinished(folder: Path) -> TrainSpec:
    """Return the spec of the run in a folder, to continue it.

    Raises:
        LabsError: no run was started there, or it has ended.
    """
    spec = _spec(folder / SPEC_FILE)
    if any(event["event"] == "end" for event in read_events(folder / "events")):
        raise LabsError(f"the run in {folder} has ended: there is nothing to continue")
    return spec


def _spec(file: Path) -> TrainSpec:
    values = _read(file)
    try:
        return TrainSpec.from_dict(values)
    except LabsError as error:
        raise LabsError(f"{file}: {error}") from error


def _read(file: Path) -> dict[str, object]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise LabsError(f"{file.parent} holds no training run: {SPEC_FILE} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise LabsError(f"{file.parent} holds no training run: {SPEC_FILE} is no JSON object")
    return values
