"""The folder of one training run: its spec, the events of its ranks and its checkpoints.

A run that was interrupted is continued by training the same spec into the same folder; the spec is kept there, so that
no other one does.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from pathlib import Path

from labsupport.errors import LabsError
from labsupport.training.events import read_events
from labsupport.training.spec import TrainSpec
from labsupport.workspace import workspace

SPEC_FILE = "spec.json"


def make(name: str) -> Path:
    """Make a folder for one run under `runs` in the workspace; its name sorts by time."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = workspace("runs") / f"{stamp}-{name}-{uuid.uuid4().hex[:4]}"
    folder.mkdir()
    return folder


def make_for(spec: TrainSpec) -> Path:
    """Make a folder for a run, named after model and data set."""
    return make(f"train-{spec.model}-{spec.dataset}".replace(":", "-").replace("/", "-"))


def claim(folder: Path, spec: TrainSpec) -> None:
    """Note the spec of a run in its folder.

    Raises:
        LabsError: a run of another spec was started there.
    """
    file, wanted = folder / SPEC_FILE, json.dumps(spec.as_dict(), indent=1)
    if not file.exists():
        file.write_text(wanted)
    elif _read(file) != json.loads(wanted):
        raise LabsError(f"the run in {folder} has another spec: its {SPEC_FILE} says which")


def unfinished(folder: Path) -> TrainSpec:
    """Return the spec of the run in a folder, to continue it.

    Raises:
        LabsError: no run was started there, or it has ended.
    """
    spec = TrainSpec.from_dict(_read(folder / SPEC_FILE))
    if any(event["event"] == "end" for event in read_events(folder / "events")):
        raise LabsError(f"the run in {folder} has ended: there is nothing to continue")
    return spec


def _read(file: Path) -> dict[str, object]:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise LabsError(f"{file.parent} holds no training run: {SPEC_FILE} cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise LabsError(f"{file.parent} holds no training run: {SPEC_FILE} is no JSON object")
    return values
