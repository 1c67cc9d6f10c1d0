"""End everything a block of code started, including what no longer descends from it by the ordinary rules.

On Linux a process may declare itself *child subreaper* (prctl(2)): orphans below it then re-parent to it instead of to
init, so a daemon whose parent has left stays in reach. When the block closes, the tree of this process is walked; what
was there before the block is left alone, with all that it started; the rest is ended and reaped. A process is known by
its pid and start time together (psutil), so that a reused pid is never signalled.

Limitations: a process that this user may not signal (sudo) is reported as left. Without a subreaper (macOS) an
orphan cannot be found. An orphan whose parent was older than the block counts as started inside it. A tree that forks
faster than it is walked needs a cgroup.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psutil

GRACE_S = 5.0  # from SIGTERM to SIGKILL: time enough for a server to drain and for a trainer to close its files
KILL_WAIT_S = 5.0  # after SIGKILL only a process inside a hung system call is still there
POLL_S = 0.02

# prctl(2) options, from <linux/prctl.h>
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Fate(StrEnum):
    """What became of a process that was still there when its block closed."""

    TERMINATED = "ended by SIGTERM"
    KILLED = "still there after SIGTERM, ended by SIGKILL"
    LEFT = "could not be ended"


@dataclass(frozen=True)
class Ended:
    """One process that had to be ended."""

    pid: int
    name: str
    fate: Fate


@dataclass
class Supervision:
    """What `supervised` did; `ended` is filled when the block closes."""

    ended: tuple[Ended, ...] = ()


@contextlib.contextmanager
def supervised(grace_s: float = GRACE_S) -> Iterator[Supervision]:
    """End every process that is started inside the block, however the block is left.

    SIGTERM goes to all of them, SIGKILL after `grace_s` to those still there, at once on a second Ctrl-C. In the main
    thread SIGTERM and SIGHUP leave the block as `SystemExit`, unless the program handles them itself. Processes started
    before the block, and what those start, are not touched. The block belongs to the process, not to the thread: what
    another thread starts meanwhile is ended too.
    """
    owner_pid = os.getpid()
    before = frozenset(psutil.Process().children(recursive=True))
    supervision = Supervision()
    with _leaving_on_signals(), _adopting_orphans():
        try:
            yield supervision
        finally:
            if os.getpid() == owner_pid:  # a fork that leaves the block owns none of it
                _end_started_since(before, grace_s, supervision)


def die_with_parent() -> Callable[[], None] | None:
    """Return a `preexec_fn` that has the kernel SIGKILL the child when its parent dies; None outside Linux.

    The kernel sends the signal when the *thread* that started the child ends, so start such children from a thread that
    lives as long as they should. A `preexec_fn` runs Python between fork and exec, where a lock that another thread
    held stays locked for ever: what it needs is loaded here, beforehand, and it takes no lock of ours.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent_pid = os.getpid()

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent died before the call above took effect
            os._exit(128 + signal.SIGKILL)

    return in_child


# -- ending a tree -----------------------------------------------------------------------------------------------------


def _end_started_since(before: frozenset[psutil.Process], grace_s: float, supervision: Supervision) -> None:
    ended: dict[psutil.Process, Ended] = {}
    try:
        _end_in_rounds(before, grace_s, ended)
    except (KeyboardInterrupt, SystemExit):
        _end_in_rounds(before, 0.0, ended)
        raise
    finally:
        supervision.ended = tuple(ended.values())


def _end_in_rounds(before: frozenset[psutil.Process], grace_s: float, ended: dict[psutil.Process, Ended]) -> None:
    """Signal and reap until nothing started since `before` is left; the tree is walked anew each round."""
    kill_from = time.monotonic() + grace_s
    give_up_at = kill_from + KILL_WAIT_S
    owners: dict[int, subprocess.Popen[Any]] | None = None
    # A walk can miss the child of a process that dies during it; by the next walk that child has re-parented to us.
    while found := (_started_since(before) or _started_since(before)):
        owners = _popen_owners() if owners is None else owners
        now = time.monotonic()
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_ZOMBIE:
                    _reap(process.pid, owners)
                elif now >= give_up_at:
                    ended[process] = Ended(process.pid, process.name(), Fate.LEFT)
                else:
                    _signal(process, now >= kill_from, ended)
        if now >= give_up_at:
            return
        time.sleep(POLL_S)


def _signal(process: psutil.Process, kill: bool, ended: dict[psutil.Process, Ended]) -> None:
    try:
        if kill:
            process.kill()
            ended[process] = Ended(process.pid, process.name(), Fate.KILLED)
        elif process not in ended:
            process.terminate()
            ended[process] = Ended(process.pid, process.name(), Fate.TERMINATED)
            if process.status() == psutil.STATUS_STOPPED:
                process.resume()  # a stopped process takes its SIGTERM only once it runs
    except psutil.AccessDenied:
        ended[process] = Ended(process.pid, process.name(), Fate.LEFT)


def _started_since(before: frozenset[psutil.Process]) -> list[psutil.Process]:
    """Return the descendants of this process that are neither in `before` nor below one of those."""
    descendants = psutil.Process().children(recursive=True)
    parent_of: dict[int, int] = {}
    for process in descendants:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent_of[process.pid] = process.ppid()
    older = {process.pid for process in descendants if process in before}

    def is_older(pid: int) -> bool:
        while pid in parent_of:
            if pid in older:
                return True
            pid = parent_of[pid]
        return False

    return [process for process in descendants if process.pid in parent_of and not is_older(process.pid)]


def _reap(pid: int, owners: Mapping[int, subprocess.Popen[Any]]) -> None:
    owner = owners.get(pid)
    if owner is not None:
        owner.poll()
        return
    with contextlib.suppress(ChildProcessError):  # the child of another process, which is still to be ended itself
        os.waitpid(pid, os.WNOHANG)


def _popen_owners() -> dict[int, subprocess.Popen[Any]]:
    """Find the `Popen` objects that still wait for a child.

    A status can be collected once. Taken behind its `Popen`, the owner would read 0 for a child that failed.
    """
    # type(), not isinstance(): a lazy proxy among the objects would import its module when asked for __class__.
    popens = (thing for thing in gc.get_objects() if issubclass(type(thing), subprocess.Popen))
    return {popen.pid: popen for popen in popens if popen.returncode is None}


# -- the state of this process while blocks are open -------------------------------------------------------------------

_adopting_lock = threading.Lock()
_adopting_blocks = 0  # blocks now open in this process: the first turns adoption on, the last turns it off


@contextlib.contextmanager
def _adopting_orphans() -> Iterator[None]:
    _count_adopting_blocks(+1)
    try:
        yield
    finally:
        _count_adopting_blocks(-1)


def _count_adopting_blocks(change: int) -> None:
    global _adopting_blocks
    with _adopting_lock:
        _adopting_blocks += change
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(_adopting_blocks > 0), 0, 0, 0)


@contextlib.contextmanager
def _leaving_on_signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    replaced = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in replaced:
            if signal.getsignal(number) is leave:  # a library may have put its own handler in our place
                signal.signal(number, signal.SIG_DFL)


def leave(number: int, _frame: object) -> None:
    """Turn a signal into `SystemExit`, so that `finally` blocks run; for `signal.signal`."""
    raise SystemExit(128 + number)
