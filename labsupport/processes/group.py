"""Run one command and answer for its whole process tree.

The command runs under a *keeper*: a small process of ours that does nothing but hold `supervised()` around it. The
keeper is the child subreaper of that command alone, so commands may run side by side in threads without ending one
another's children. It reads its orders from a pipe and takes the end of that pipe as "end the tree": the pipe closes
when `run_group` is interrupted and also when this process is killed with SIGKILL, which no handler could see.

Limitations: if the keeper itself gets SIGKILL, the kernel kills the command, but not what the command started.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import select
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labsupport.errors import LabsError
from labsupport.processes.supervision import (
    GRACE_S,
    KILL_WAIT_S,
    Ended,
    Fate,
    Supervision,
    die_with_parent,
    leave,
    supervised,
)

# -P keeps the current folder, which is the command's business, out of the keeper's imports.
_KEEPER = (
    sys.executable,
    "-P",
    "-c",
    "import sys; sys.path.insert(0, sys.argv[1])\nfrom labsupport.processes.group import keep; keep()",
)
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True)
class Completed:
    """How a command ended.

    `returncode` is -N when signal N ended it, None when it could not be ended; `wall_s` is the command's own time,
    without the keeper's; `ended` names what was still running afterwards and had to be ended (with `timed_out`, the
    command itself too).
    """

    argv: tuple[str, ...]
    returncode: int | None
    stdout: str
    stderr: str
    wall_s: float
    timed_out: bool
    ended: tuple[Ended, ...]


def run_group(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout_s: float | None = None,
    on_line: Callable[[str], None] | None = None,
    grace_s: float = GRACE_S,
) -> Completed:
    """Run a command without a shell, in a session of its own, and end all that it started before returning.

    Args:
        env: the whole environment of the command; that of this process when None.
        timeout_s: seconds after which the tree is ended and `timed_out` is set; None waits for ever.
        on_line: called in this thread with each line, of either stream, as it arrives.
        grace_s: from SIGTERM to SIGKILL when the tree is ended.

    Raises:
        LabsError: the command cannot be started.
    """
    assert not isinstance(argv, str), "argv is a list of words: nothing here starts a shell to split a string"
    orders = {
        "argv": [str(word) for word in argv],
        "env": dict(os.environ if env is None else env),
        "cwd": None if cwd is None else str(cwd),
        "timeout_s": timeout_s,
        "grace_s": grace_s,
        "parent_pid": os.getpid(),
    }
    read_end, write_end = os.pipe()
    with open(read_end, encoding="utf-8") as report_stream:
        try:
            keeper = subprocess.Popen(
                [*_KEEPER, _PACKAGE_PARENT, str(write_end)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(write_end,),
                start_new_session=True,  # Ctrl-C at the terminal reaches us; the keeper ends its tree in order
            )
        finally:
            os.close(write_end)
        try:
            stdout, stderr = _converse(keeper, orders, on_line)
        finally:
            _dismiss(keeper, grace_s)
        report = json.loads(report_stream.read() or "{}")
    if "error" in report:
        raise LabsError(
            f"{argv[0]}: cannot be started ({report['error']}); is it installed, and does its folder exist?"
        )
    if "returncode" not in report:
        said = (stderr.strip().splitlines() or ["it left no message"])[-1]
        raise LabsError(f"{argv[0]}: its keeper process ended early, status {keeper.returncode}: {said}")
    ended = tuple(Ended(one["pid"], one["name"], Fate(one["fate"])) for one in report.pop("ended"))
    return Completed(argv=tuple(argv), stdout=stdout, stderr=stderr, ended=ended, **report)


def _converse(
    keeper: subprocess.Popen[bytes], orders: Mapping[str, Any], on_line: Callable[[str], None] | None
) -> tuple[str, str]:
    """Give the keeper its orders and read both streams until it is gone; return what they said."""
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    assert keeper.stderr is not None
    with contextlib.suppress(BrokenPipeError):  # it failed at once, and says why on its standard error
        keeper.stdin.write(json.dumps(orders).encode() + b"\n")
        keeper.stdin.flush()
    said = {keeper.stdout.fileno(): _Transcript(on_line), keeper.stderr.fileno(): _Transcript(on_line)}
    with selectors.DefaultSelector() as selector:
        for descriptor in said:
            selector.register(descriptor, selectors.EVENT_READ)
        # Both streams end with the tree; a process that could not be ended may hold them open after the keeper is gone.
        while selector.get_map():
            is_gone = keeper.poll() is not None
            ready = selector.select(0.0 if is_gone else 0.1)
            for key, _ in ready:
                chunk = os.read(key.fd, 65536)
                said[key.fd].add(chunk)
                if not chunk:
                    selector.unregister(key.fd)
            if is_gone and not ready:
                break
    stdout, stderr = said.values()
    return stdout.text(), stderr.text()


def _dismiss(keeper: subprocess.Popen[bytes], grace_s: float) -> None:
    """Close the keeper's orders, which has it end its tree, and wait until it is gone."""
    assert keeper.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        keeper.stdin.close()
    limit_s = grace_s + 2 * KILL_WAIT_S
    try:
        keeper.wait(limit_s)
    except KeyboardInterrupt:  # a second Ctrl-C: no more grace
        keeper.terminate()
        keeper.wait(limit_s)
        raise
    finally:
        for stream in (keeper.stdout, keeper.stderr):
            assert stream is not None
            stream.close()


class _Transcript:
    """The text of one stream, handed on line by line as its bytes arrive."""

    def __init__(self, on_line: Callable[[str], None] | None) -> None:
        self._on_line = on_line
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._parts: list[str] = []
        self._unfinished = ""

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; none at all means the end of the stream."""
        part = self._decoder.decode(chunk, final=not chunk)
        self._parts.append(part)
        if self._on_line is None:
            return
        *lines, self._unfinished = (self._unfinished + part).split("\n")
        if not chunk and self._unfinished:
            lines.append(self._unfinished)
        for line in lines:
            self._on_line(line)

    def text(self) -> str:
        return "".join(self._parts)


# -- inside the keeper -------------------------------------------------------------------------------------------------


class _TimeIsUpError(Exception):
    pass


def keep() -> None:
    """Be the keeper: obey the orders on standard input, then report on the descriptor that the command line names."""
    report_end = int(sys.argv[2])
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    signal.signal(signal.SIGALRM, _time_is_up)
    report = _run(json.loads(sys.stdin.buffer.readline()))
    with open(report_end, "w", encoding="utf-8") as stream:
        json.dump(report, stream)


def _run(orders: Mapping[str, Any]) -> dict[str, Any]:
    """Run the command to its end, to its time limit or to the end of the orders; return the report."""
    command: subprocess.Popen[bytes] | None = None
    supervision = Supervision()
    timed_out = False
    wall_s: float | None = None
    started = time.monotonic()
    try:
        with supervised(orders["grace_s"]) as supervision:
            try:
                command = subprocess.Popen(
                    orders["argv"],
                    env=orders["env"],
                    cwd=orders["cwd"],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                    preexec_fn=die_with_parent(),
                )
            except OSError as error:
                return {"error": error.strerror}
            threading.Thread(target=_watch_orders, args=(orders["parent_pid"],), daemon=True).start()
            try:
                signal.setitimer(signal.ITIMER_REAL, orders["timeout_s"] or 0.0)
                command.wait()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0.0)  # it must not go off while the tree is being ended
            wall_s = time.monotonic() - started
    except _TimeIsUpError:
        timed_out = True
    except SystemExit:
        pass  # told to end the tree, which the block has done
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGHUP))  # the report is written in peace
    if command is None:
        return {}
    return {
        "returncode": command.returncode,
        "wall_s": time.monotonic() - started if wall_s is None else wall_s,
        "timed_out": timed_out,
        "ended": [asdict(one) for one in supervision.ended],
    }


def _time_is_up(_number: int, _frame: object) -> None:
    raise _TimeIsUpError


def _watch_orders(parent_pid: int) -> None:
    """Leave once the orders end. A fork of the parent may hold the pipe open after it, hence the look at the parent."""
    while os.getppid() == parent_pid:
        readable, _, _ = select.select([sys.stdin.fileno()], [], [], 0.5)
        if readable and not os.read(sys.stdin.fileno(), 1):
            break
    os.kill(os.getpid(), signal.SIGTERM)
