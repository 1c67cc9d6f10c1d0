"""Keep what a learner's code does while it is graded inside the check: what it prints, `exit()`, and Ctrl-C."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labsupport.course.display.printed import ANSI

PRINTED_LINES = 5
PRINTED_CHARS = 100  # of a line, which stands indented under its criterion
KEPT_CHARS = 4000  # of all lines: a line may be megabytes long


class FirstLines(io.TextIOBase):
    """A text stream that keeps the first lines printed under a criterion and counts the rest, which may be millions.

    What an answer prints under one criterion it mostly prints under all, so lines are shown once per check.
    """

    def __init__(self) -> None:
        self._told = False
        self.begin()

    def begin(self) -> None:
        """Forget what was printed under the criterion before."""
        self._kept = ""
        self._ended_lines = 0
        self._open_line = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text:
            self._kept += text[: KEPT_CHARS - len(self._kept)]
            self._ended_lines += text.count("\n")
            self._open_line = not text.endswith("\n")
        return len(text)

    @property
    def text(self) -> str:
        """The beginning of what was printed."""
        return self._kept

    def shown(self) -> list[str]:
        """Return the lines kept, cut to a readable length; nothing if some were returned before."""
        if self._told or not self._kept:
            return []
        self._told = True
        lines = [_shortened(line) for line in ANSI.sub("", self._kept).removesuffix("\n").split("\n")[:PRINTED_LINES]]
        left = self._ended_lines + self._open_line - len(lines)
        more = [f"  ... and {left:,} more line{'s' if left > 1 else ''}"] if left else []
        return ["the answer printed:", *(f"  {line}" for line in lines), *more]


def _shortened(line: str) -> str:
    line = line.rstrip("\r").rpartition("\r")[2]  # of a progress bar, what a terminal would show in the end
    return line if len(line) <= PRINTED_CHARS else f"{line[:PRINTED_CHARS]} ..."


@contextmanager
def exit_raises() -> Iterator[None]:
    """Make a notebook's `exit()` and `quit()` raise SystemExit, as they do in a program.

    IPython's own note the wish and return: the answer would go on, and the kernel be gone by the next cell.
    """
    shell: Any = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        yield
        return

    def leave() -> None:
        raise SystemExit

    before = shell.ask_exit
    shell.ask_exit = leave
    try:
        yield
    finally:
        shell.ask_exit = before


class CtrlC(BaseException):
    """Ctrl-C was pressed, as opposed to `raise KeyboardInterrupt` in an answer."""


@contextmanager
def ctrl_c_noticed() -> Iterator[None]:
    """Tell a real Ctrl-C from a KeyboardInterrupt that the answer raises, or swallows."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield  # Ctrl-C never arrives here
        return
    pressed = False

    def notice(*_: object) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, notice)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            raise CtrlC
