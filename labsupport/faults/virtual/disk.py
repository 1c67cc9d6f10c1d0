"""A disk that tells what was written from what will survive a crash.

Reads see every write. A crash leaves what was fsynced, and no more. Three faults make it worse: a disk that *lies*
acknowledges an fsync it did not do; one that *tears* keeps half of what was not fsynced, in the place of what stood
there before; one that is *full* takes half of a write and raises ENOSPC.

A rename is atomic and becomes durable with an fsync of the new name, or with `sync`; so does a removal with `sync`. A
file that is renamed before its content was fsynced can be torn under its new name: the classic way to lose a
checkpoint.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable


class Disk:
    """Named files of one node, without folders. Every operation that changes something is a point to crash at."""

    def __init__(self, act: Callable[[str], None]) -> None:
        self.lies = False
        self.tears = False
        self.full = False
        self._act = act  # called with a description before an operation happens
        self._seen: dict[str, bytes] = {}
        self._durable: dict[str, bytes] = {}
        self._renamed: dict[str, str] = {}  # new name -> old name, where the rename is not durable yet

    def names(self) -> tuple[str, ...]:
        """Return the files that are there, in order."""
        return tuple(sorted(self._seen))

    def exists(self, name: str) -> bool:
        """Say whether a file is there."""
        return name in self._seen

    def read(self, name: str) -> bytes:
        """Return the content of a file, fsynced or not.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if name not in self._seen:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._seen[name]

    def write(self, name: str, data: bytes) -> None:
        """Replace the content of a file, or make it.

        Raises:
            OSError: the disk is full; the old content is gone, half of the new one is there.
        """
        self._store(name, b"", data, "write")

    def append(self, name: str, data: bytes) -> None:
        """Add to the end of a file, or make it.

        Raises:
            OSError: the disk is full; half of the data was added.
        """
        self._store(name, self._seen.get(name, b""), data, "append")

    def fsync(self, name: str) -> None:
        """Make a file's content and name durable.

        Raises:
            FileNotFoundError: there is no such file.
        """
        content = self.read(name)
        self._act(f"fsync {name}")
        if self.lies:
            return
        self._durable[name] = content
        old = self._renamed.pop(name, None)
        if old is not None and old not in self._seen:
            self._durable.pop(old, None)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing what had it.

        Raises:
            FileNotFoundError: there is no such file.
        """
        content = self.read(old)
        self._act(f"rename {old} to {new}")
        self._seen[new] = content
        if old != new:
            del self._seen[old]
            self._renamed[new] = self._renamed.pop(old, old)

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            FileNotFoundError: there is no such file.
        """
        self.read(name)
        self._act(f"remove {name}")
        del self._seen[name]
        self._renamed.pop(name, None)

    def sync(self) -> None:
        """Make everything durable: contents, names and removals."""
        self._act("sync")
        if not self.lies:
            self._durable, self._renamed = dict(self._seen), {}

    def crash(self) -> None:
        """Forget what was not fsynced, as a loss of power does."""
        if self.tears:
            self._tear()
        self._seen, self._renamed = dict(self._durable), {}

    def _store(self, name: str, kept: bytes, data: bytes, action: str) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"disk.{action}({name!r}): takes bytes, not {type(data).__name__}; encode the data first")
        self._act(f"{action} {name} ({len(data):,} bytes)")
        if self.full:
            self._seen[name] = kept + data[: len(data) // 2]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
        self._seen[name] = kept + data

    def _tear(self) -> None:
        for name, content in self._seen.items():
            before = self._durable.get(name, b"")
            old = self._renamed.get(name)
            if content == before or (old is not None and content == self._durable.get(old)):
                continue  # nothing to tear: the rename of a durable file happened or did not
            if old is None and content.startswith(before):
                self._durable[name] = content[: len(before) + (len(content) - len(before)) // 2]
            else:
                self._durable[name] = content[: len(content) // 2]
            if old is not None:
                self._durable.pop(old, None)
