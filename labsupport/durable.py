"""Files and folders that are still there after a power cut.

The page cache survives a killed process, but not a power cut: content is on the disk after an fsync of the file, and a
name (of a new file, a renamed one, a new folder) after an fsync of the folder that holds it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that after a power cut is there as a whole, or as it was before."""
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()  # what a full disk took of it is only in the way
        raise
    sync_folder(path.parent)


def make_folder_durably(folder: Path) -> None:
    """Make a folder, if need be, whose name survives a power cut; the folder it lies in is there."""
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a rename and a new entry change the folder, not the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder; nothing can be done there
            raise
    finally:
        os.close(descriptor)
