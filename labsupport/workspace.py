"""Where a learner's own files live: receipts, progress, runs, checkpoints, downloaded data.

`LABS_WORKSPACE` names the folder; without it, `~/ai-infra-labs`. It lies outside the clone, so that cleaning or
updating the course never touches a learner's results. `labs grade` points it to a fresh folder.

A relative name counts from the folder in which the command was given. The variable is made absolute before anything is
started, since Ray's workers and kernels inherit it and run elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from labsupport.errors import LabsError

VARIABLE = "LABS_WORKSPACE"
DEFAULT = "~/ai-infra-labs"


def settle() -> None:
    """Make a relative `LABS_WORKSPACE` absolute, for this process and those that it starts."""
    name = os.environ.get(VARIABLE, "")
    if name and not name.startswith(("/", "~")):
        os.environ[VARIABLE] = str(Path.cwd() / name)


def home() -> Path | None:
    """Return the user's home folder; None for a user without one, such as a bare number in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def workspace(*parts: str) -> Path:
    """Return a folder of the workspace, made if need be; its path is absolute.

    Raises:
        LabsError: the folder cannot be made or written.
    """
    settle()
    name = os.environ.get(VARIABLE) or DEFAULT
    try:
        folder = Path(name).expanduser().joinpath(*parts)
    except RuntimeError as error:  # no such user, or none at all
        raise LabsError(f"workspace {name}: there is no such home folder; set {VARIABLE} to a folder") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabsError(
            f"workspace {folder}: cannot be made ({error.strerror}); set {VARIABLE} to a folder you may write"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LabsError(f"workspace {folder}: not writable; set {VARIABLE} to a folder you may write")
    return folder
