"""Faults on real processes: kill one, freeze one for a while, kill one at the moment a condition holds.

SIGKILL is the crash that no handler softens. SIGSTOP is the harder fault, a long garbage collection or a stalled disk:
the kernel keeps accepting connections for the frozen process, so that only a timeout notices. A pause is always
reverted, by the block that made it or, if this process is killed, by a guardian process.

Limitations: no faults of the network or the disk, and no processes of other users.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from labsupport.errors import LabsError

_GUARDIAN = Path(__file__).with_name("guardian.py")


@dataclass(frozen=True)
class Killed:
    """A process that got SIGKILL, and when (Unix time)."""

    pid: int
    killed_at: float


def kill(pid: int) -> Killed:
    """Send SIGKILL to one process of this user.

    Raises:
        LabsError: the pid is 1 or less, our own, another user's, or nobody's.
    """
    target = _target(pid)
    with _one_line_errors(pid):
        target.kill()
    return Killed(pid, time.time())


@contextlib.contextmanager
def pause(pid: int) -> Iterator[None]:
    """Freeze one process of this user (SIGSTOP) for the length of the block.

    Raises:
        LabsError: as for `kill`.
    """
    target = _target(pid)
    with _guarding(target):
        with _one_line_errors(pid):
            target.suspend()
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):  # it may have been killed while it was frozen
                target.resume()


class KillWhen:
    """Kill a process, once, at the moment a condition names it.

    A thread calls `condition` every `poll_s` until it returns a pid, sends SIGKILL and ends:

        with KillWhen(lambda: rank_pid if steps_done() >= 15 else None) as killer:
            train()
        killer.pid, killer.killed_at

    `pid` and `killed_at` (Unix time) stay None if the condition never held. `then` is called right after the kill. What
    the two raise, or a refused pid, is raised again by `stop` and at the end of the block. Both must return promptly:
    `stop` waits for them.
    """

    def __init__(
        self, condition: Callable[[], int | None], poll_s: float = 0.02, then: Callable[[], None] | None = None
    ) -> None:
        self.pid: int | None = None
        self.killed_at: float | None = None
        self._condition = condition
        self._poll_s = poll_s
        self._then = then
        self._ending = threading.Event()
        self._fired = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name="kill-when", daemon=True)

    def start(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def wait(self, timeout_s: float) -> bool:
        """Wait until the process has been killed; False if that did not happen in time."""
        return self._fired.wait(timeout_s)

    def stop(self) -> None:
        """End the watch and its thread, whether or not it has fired."""
        self._ending.set()
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            self.stop()
        except Exception as own:
            if error is None:
                raise
            error.add_note(f"KillWhen failed too: {own}")  # the block's own error is the one to see

    def _watch(self) -> None:
        try:
            while not self._ending.is_set():
                pid = self._condition()
                if pid is not None:
                    killed = kill(pid)
                    self.pid, self.killed_at = killed.pid, killed.killed_at
                    self._fired.set()
                    if self._then is not None:
                        self._then()
                    return
                self._ending.wait(self._poll_s)
        except Exception as error:  # foreign code: whatever it raises belongs to the thread that stops the watch
            self._error = error


def _target(pid: int) -> psutil.Process:
    """Return the process if it is one we may harm."""
    if pid <= 1:
        raise LabsError(f"pid {pid}: not one process (1 is init, 0 and less are groups); give a pid above 1")
    if pid == os.getpid():
        raise LabsError(f"pid {pid}: this very process; give the pid of the process to be harmed")
    with _one_line_errors(pid):
        target = psutil.Process(pid)
        owner_uid = target.uids().real
        if target.status() == psutil.STATUS_ZOMBIE:
            raise psutil.ZombieProcess(pid)
    if owner_uid != os.getuid():
        raise LabsError(
            f"pid {pid}: belongs to user id {owner_uid}, and only processes of user id {os.getuid()} are harmed"
        )
    return target


@contextlib.contextmanager
def _one_line_errors(pid: int) -> Iterator[None]:
    try:
        yield
    except psutil.NoSuchProcess as error:
        raise LabsError(f"pid {pid}: no such process; it may have ended already") from error
    except psutil.AccessDenied as error:
        raise LabsError(f"pid {pid}: may not be signalled; only processes of this user are harmed") from error


@contextlib.contextmanager
def _guarding(target: psutil.Process) -> Iterator[None]:
    """Hold a guardian that lets the target run again once this block, or this process, is gone."""
    guardian = subprocess.Popen(
        [sys.executable, "-P", str(_GUARDIAN), str(target.pid), str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends the injector, not what repairs after it
    )
    with guardian:  # closes the pipe, which is the guardian's signal, and waits for it
        assert guardian.stdout is not None
        ready = guardian.stdout.readline() == b"guarding\n"
        # The guardian looked the pid up after us: it holds the same process if ours is still the one with that pid.
        if not ready or not target.is_running():
            raise LabsError(f"pid {target.pid}: no such process; it may have ended already")
        yield
