"""Files of JSON lines that several processes append to, any of which may be killed at any moment.

A line is appended under a lock, on a line of its own even where a crash tore the one before, by one system call, and
synced before the call returns. A line that is torn or corrupt costs that entry and no other. What a line means is the
caller's: each function takes the `parse` that turns a line into an entry.

Limitations: on some network file systems locks do nothing. Files are never pruned.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from labsupport.durable import sync_folder

LOCK_POLL_S = 0.005  # an append holds the lock for about one sync of the disk

T = TypeVar("T")
Parse = Callable[[bytes], T]
"""Turns a line into an entry; raises ValueError for a line that is not one."""


@dataclass(frozen=True)
class Skipped:
    """A line that could not be parsed: its number, and what is left of it."""

    number: int
    content: bytes
    torn: bool
    """Its end is missing: the writer was killed, or is still writing."""
    reason: str
    """Why it could not be parsed."""

    def __str__(self) -> str:
        return f"line {self.number}: {'torn' if self.torn else f'corrupt ({self.reason})'}, skipped"


@dataclass(frozen=True)
class Lines(Generic[T]):
    """What a file holds: its entries in the order written, and the lines that could not be parsed."""

    entries: tuple[T, ...] = ()
    skipped: tuple[Skipped, ...] = ()


def append(path: Path, line: str) -> None:
    """Append a line durably, whole or not at all.

    Raises:
        OSError: it could not be written; the file is as it was.
    """
    from filelock import lock_descriptor  # imported here: it costs 0.1 CPU-s

    descriptor = open_for_appending(path)
    try:
        lock_descriptor(descriptor, poll_interval=LOCK_POLL_S)
        size = os.fstat(descriptor).st_size
        write_line(descriptor, line)
        try:
            os.fsync(descriptor)
            if not size:
                sync_folder(path.parent)  # the file may be new
        except OSError:
            _cut_back(descriptor, size)
            raise
    finally:
        os.close(descriptor)  # releases the lock


def open_for_appending(path: Path) -> int:
    """Return the descriptor of a file of lines, made if need be.

    Raises:
        OSError: it cannot be opened for writing.
    """
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)


def write_line(descriptor: int, line: str) -> None:
    """Append a line in one write to a file that no other process writes now; undo a write that was cut short.

    This alone survives the death of the process, and not a power cut; `append` does both.

    Raises:
        OSError: it could not be written; the file is as it was.
    """
    content = line.encode() + b"\n"
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        content = b"\n" + content  # a crash tore the last line; joining it would lose this one too
    if os.write(descriptor, content) != len(content):
        _cut_back(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read(path: Path, parse: Parse[T]) -> Lines[T]:
    """Read every whole line; a file that does not exist has none.

    Raises:
        OSError: the file cannot be read, or is a device or a pipe, which may never end.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is a device or a pipe", str(path))
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Lines()
    entries: list[T] = []
    skipped: list[Skipped] = []
    pieces = content.split(b"\n")
    for number, piece in enumerate(pieces, start=1):
        if not piece.strip():
            continue
        try:
            entries.append(parse(piece))
        except (ValueError, RecursionError) as error:
            # The piece after the last line break is a line that lost its end. One that lost only the line break is
            # whole, and was parsed above.
            skipped.append(Skipped(number, piece, number == len(pieces), _one_line(error)))
    return Lines(tuple(entries), tuple(skipped))


class Follower(Generic[T]):
    """Read a growing file bit by bit: every call returns the entries that are new since the last one.

    A line counts once its line break is there; one that cannot be parsed is left out. A file that appears later,
    was replaced, or is shorter than what was read of it, is read from its start.
    """

    def __init__(self, path: Path, parse: Parse[T]) -> None:
        self._path, self._parse = path, parse
        self._file = (0, 0)  # device and inode
        self._offset = 0  # what lies before has been returned

    def new(self) -> list[T]:
        """Return the entries of the lines that were completed since the last call.

        Raises:
            OSError: the file is there and cannot be read.
        """
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            self._offset = 0
            return []
        with file:
            status = os.fstat(file.fileno())
            if (status.st_dev, status.st_ino) != self._file or status.st_size < self._offset:
                self._file, self._offset = (status.st_dev, status.st_ino), 0
            file.seek(self._offset)
            whole, line_break, _unfinished = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(line_break)
        entries = []
        for line in filter(None, whole.split(b"\n")):
            with suppress(ValueError, RecursionError):
                entries.append(self._parse(line))
        return entries


def _cut_back(descriptor: int, size: int) -> None:
    with suppress(OSError):  # the disk has failed once; what it says now matters less
        os.ftruncate(descriptor, size)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
