"""Stop a call that takes too long, so that an endless loop in an answer becomes a verdict and not a hung notebook.

In the main thread of a POSIX system an interval timer interrupts the call. It fires again and again, because a loop may
hold `try: ... except: continue`, which swallows an interruption and goes on. When a few have not helped, a trace
function raises at every line: inside the `except` too, from where the loop cannot go on. Elsewhere (another thread, a
system without SIGALRM) the call runs in a daemon thread, which is abandoned at the limit.

What is not covered: C code that never returns to the interpreter; a recursion whose every level holds a bare `except`,
which ends late; a call that replaces the handler of SIGALRM itself; processes and threads that the call started; an
abandoned daemon thread, which goes on until its process ends. `labs run` and `labs grade` stop all of these with a time
limit per cell.
"""

from __future__ import annotations

import dis
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

Result = TypeVar("Result")

REPEAT_S = 0.05
PATIENCE = 3  # interruptions after which no `finally` and no `with` is given time to clean up any more

PUSH_EXC_INFO = dis.opmap["PUSH_EXC_INFO"]


class TimeLimitReached(BaseException):
    """The call was stopped; not an `Exception`, so that `except Exception` in an endless loop does not swallow it."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"stopped after {limit_s:g} s")
        self.limit_s = limit_s


def call_within(limit_s: float, function: Callable[[], Result]) -> Result:
    """Return `function()`, or stop it after `limit_s` seconds of wall-clock time.

    The handler of SIGALRM and a running timer (pytest-timeout has one) are put back afterwards; a timer that ran out in
    the meantime fires then.

    Raises:
        TimeLimitReached: also when the call swallowed the interruption and returned late.
    """
    assert limit_s > 0, f"A time limit is a positive number of seconds, not {limit_s!r}"
    if hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread():
        return _call_under_timer(limit_s, function)
    return _call_in_thread(limit_s, function)


def _call_under_timer(limit_s: float, function: Callable[[], Result]) -> Result:
    guard = sys._getframe()
    running = True
    interruptions = 0

    def raise_at_line(frame: FrameType, event: str, _: Any) -> Any:
        if not (running and _is_below(frame, guard)):
            return None
        # An error raised at the first instruction of a handler spoils the interpreter's record of handled errors.
        if event == "line" and frame.f_code.co_code[frame.f_lasti] != PUSH_EXC_INFO:
            raise TimeLimitReached(limit_s)
        return raise_at_line

    def trace_again(frame: FrameType, event: str, _: Any) -> None:
        # The interpreter drops a trace function that raised; a profile function stays and sees calls and returns.
        if running and _is_below(frame, guard):
            frame.f_trace = raise_at_line
            sys.settrace(raise_at_line)

    def stop(_: int, frame: FrameType | None) -> None:
        # Only inside the call: an interruption in the lines below would leave the timer and the handler behind.
        nonlocal interruptions
        if not (running and _is_below(frame, guard)):
            return
        interruptions += 1
        error = TimeLimitReached(limit_s)  # made now: once the trace function is set, its `__init__` would raise
        if interruptions > PATIENCE:
            while frame is not None and frame is not guard:
                frame.f_trace = raise_at_line
                frame = frame.f_back
            sys.setprofile(trace_again)
            sys.settrace(raise_at_line)
        raise error

    trace_before, profile_before = sys.gettrace(), sys.getprofile()
    handler_before = signal.signal(signal.SIGALRM, stop)
    started_s = time.monotonic()
    delay_before_s, interval_before_s = signal.setitimer(signal.ITIMER_REAL, limit_s, REPEAT_S)
    try:
        result = function()
    finally:
        running = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        if interruptions > PATIENCE:
            sys.settrace(trace_before)
            sys.setprofile(profile_before)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler_before is None else handler_before)
        if delay_before_s:
            left_s = delay_before_s - (time.monotonic() - started_s)
            signal.setitimer(signal.ITIMER_REAL, max(left_s, 1e-3), interval_before_s)  # 0 would disarm it
    if interruptions:
        raise TimeLimitReached(limit_s)
    return result


def _is_below(frame: FrameType | None, guard: FrameType) -> bool:
    """Say whether `frame` was called, directly or not, by `guard`."""
    frame = frame and frame.f_back
    while frame is not None and frame is not guard:
        frame = frame.f_back
    return frame is guard


def _call_in_thread(limit_s: float, function: Callable[[], Result]) -> Result:
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # handed to the caller's thread, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, name="time-limit", daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise TimeLimitReached(limit_s)
    if errors:
        raise errors[0]
    return results[0]
