"""Fetch one published file over HTTPS: resumable, its published digest verified, atomic, once for all processes.

Limitations: no mirrors, and no proxies beyond what the environment tells urllib (`https_proxy`).
"""

from __future__ import annotations

import hashlib
import http.client
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from labsupport.errors import LabsError

TIMEOUT_S = 30  # of one read, not of the whole
BLOCK_BYTES = 1 << 20
LOOPBACK = ("127.0.0.1", "::1", "localhost")
RANGE_NOT_SATISFIABLE = 416


@dataclass(frozen=True)
class Published:
    """A file as its publisher names it."""

    url: str
    md5: str
    """Finds a damaged transfer. That the file is the publisher's is what HTTPS vouches for, not this digest."""

    @property
    def file_name(self) -> str:
        return urlsplit(self.url).path.rsplit("/", 1)[-1]


def fetch(published: Published, folder: Path) -> Path:
    """Return the path of the file in `folder`, downloaded first if it is not there; its digest is right.

    Raises:
        LabsError: no connection, or a file with another digest. Says what was tried and where to put the file by hand.
    """
    target = folder / published.file_name
    if not target.exists():
        part = folder / (published.file_name + ".part")
        try:
            _download(published.url, part)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise LabsError(
                f"{published.file_name} is not in {folder}, and {published.url} cannot be had ({reason}): download it "
                f"on a machine with a connection and put it into {folder}"
            ) from error
        found = md5_of(part)
        if found != published.md5:
            part.unlink()
            raise LabsError(
                f"{published.url} sent a file with md5 {found}, published is {published.md5}; it was deleted: try again"
            )
        os.replace(part, target)
    elif (found := md5_of(target)) != published.md5:
        raise LabsError(
            f"{target} has md5 {found}, published is {published.md5}: it is damaged, delete it and try again"
        )
    return target


def md5_of(path: Path) -> str:
    """Return the MD5 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


@contextmanager
def exclusive(folder: Path, name: str) -> Iterator[None]:
    """Let one process at a time into the block: the workers of one machine ask for the same file at the same moment."""
    from filelock import FileLock

    with FileLock(folder / f".{name}.lock"):  # released by the kernel when its process is killed
        yield


def _download(url: str, part: Path) -> None:
    """Write what is at `url` to `part`, going on at the end of what is already there."""
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise LabsError(f"{url}: only https is used to download")
    present = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={present}-"} if present else {}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_S)  # noqa: S310 - the scheme was checked
    except HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE:
            error.close()
            return  # nothing is left to send; the digest tells whether what is here is right
        raise
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            present = 0  # the server starts anew
        length = response.headers.get("Content-Length")
        total = present + int(length) if length else None
        with part.open("ab" if present else "wb") as file, _progress(part.stem, present, total) as advance:
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                advance(len(block))
            written = file.tell()
    if total is not None and written < total:
        raise ConnectionError(f"the connection ended after {written} of {total} bytes; the next try goes on there")


@contextmanager
def _progress(name: str, present: int, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr; the block calls what it is given with each number of bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=present)
        yield lambda count: progress.advance(task, count)
