"""Which command and which code produced a number.

The commit names a state of the repository for a reader. Whether a number is stale is decided by the code that measures
it, for a commit that changed a README makes no number old, and a host without git has no commits: a receipt keeps a
digest of the sources of its metric's package and of the packages that all measurements share.

Limitations: versions of other packages (the commit names the lock file), code of a notebook's own cells, and modules
that were edited after the running process had imported them.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from labsupport.receipts.receipt import Kind, Receipt
from labsupport.workspace import home

COMMAND_VARIABLE = "LABS_COMMAND"
UNKNOWN = "unknown"
DIRTY = "+dirty"

CODE_DIGITS = 12
SHARED_PACKAGES = ("faults", "hardware", "processes", "receipts")  # what every measurement goes through

_PACKAGE = Path(__file__).resolve().parents[1]
_COMMIT_DIGITS = 12
_COMMAND_CHARACTERS = 200  # a receipt is read in a table; a longer command belongs into a script
_GIT_TIMEOUT_S = 10
_SECRET_WORDS = (
    "token",
    "password",
    "passwd",
    "secret",
    "credential",
    "api-key",
    "api_key",
    "access-key",
    "access_key",
)


def command() -> str:
    """Return the command that runs now: `LABS_COMMAND`, else a short form of the program's arguments."""
    return os.environ.get(COMMAND_VARIABLE) or short_command(sys.argv)


def short_command(argv: Sequence[str]) -> str:
    """Return program and arguments as one line: no folder, no home directory, no secret, at most 200 characters."""
    program = Path(argv[0]).name if argv else ""
    if program in ("", "-", "-c"):
        return "python"
    if program == "__main__.py":
        program = Path(argv[0]).parent.name  # python -m program
    if "ipykernel" in argv[0] or "colab_kernel" in argv[0]:
        return "notebook"  # a kernel's arguments are a connection file, which names nothing a reader could run
    shown = [program]
    hide_next = False
    for argument in argv[1:]:
        option, equals, _ = argument.partition("=")
        secret = option.startswith("-") and any(word in option.lower() for word in _SECRET_WORDS)
        shown.append("***" if hide_next else f"{option}=***" if secret and equals else argument)
        hide_next = secret and not equals
    line = shlex.join(shown)
    if folder := home():
        line = line.replace(f"{folder}/", "~/")
    return line if len(line) <= _COMMAND_CHARACTERS else line[: _COMMAND_CHARACTERS - 3] + "..."


@functools.cache
def commit(package: Path = _PACKAGE) -> str:
    """Return the git commit of the repository that tracks this package, "unknown" when there is none.

    "+dirty" is appended when files of the package differ from that commit. Never raises: a number taken without git is
    still a number.
    """
    # A package installed into some other repository's environment is not tracked there, and that repository's commit
    # would be a lie.
    tracked = _git(package, "ls-files", "--error-unmatch", "__init__.py")
    head = _git(package, "rev-parse", "HEAD")
    if not tracked or not head:
        return UNKNOWN
    changes = _git(package, "status", "--porcelain", "--", ".")
    return head[:_COMMIT_DIGITS] + (DIRTY if changes else "")


@functools.cache
def code(package: str, root: Path = _PACKAGE) -> str:
    """Return 12 hex digits of a digest of the code that measures what a package declares."""
    digest = hashlib.sha256()
    for folder in sorted({package, *SHARED_PACKAGES}):
        for file in sorted((root / folder).rglob("*.py")):
            name = file.relative_to(root)
            if any(part.startswith(".") for part in name.parts):
                continue  # copies that editors keep
            digest.update(f"{name.as_posix()}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:CODE_DIGITS]


def is_stale(receipt: Receipt) -> bool:
    """Say whether a number was measured or simulated by other code than is here now."""
    if receipt.kind not in (Kind.MEASURED, Kind.SIMULATED):
        return False
    return receipt.details.get("code") != code(receipt.name.partition(".")[0])


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints, empty when it fails or is not installed."""
    # Inherited GIT_DIR and the like (a git hook sets them) would point at another repository; taking no optional
    # locks keeps a running `git commit` from failing because of us.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            env={**environment, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
