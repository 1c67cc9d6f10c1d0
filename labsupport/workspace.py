"""Where a learner's own files live: receipts, progress, runs, checkpoints, downloaded data.

`LABS_WORKSPACE` names the folder; without it, `~/ai-infra-labs`. It lies outside the clone, so that cleaning or
updating the course never touches a learner's results. `labs grade` points it to a fresh folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from labsupport.errors import LabsError

VARIABLE = "LABS_WORKSPACE"
DEFAULT = "~/ai-infra-labs"


def workspace(*parts: str) -> Path:
    """Return a folder of the workspace, made if need be.

    Raises:
        LabsError: the folder cannot be made or written.
    """
    folder = Path(os.environ.get(VARIABLE) or DEFAULT).expanduser().joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabsError(
            f"workspace {folder}: cannot be made ({error.strerror}); set {VARIABLE} to a folder you may write"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LabsError(f"workspace {folder}: not writable; set {VARIABLE} to a folder you may write")
    return folder
