"""Grade one exercise the moment it is run.

A check never raises on an answer: whatever the learner's code does (raise, exit, loop for ever, print a million lines)
becomes a failed criterion with a note. The verdict is displayed by the check cell and stored in the notebook, which is
thereby its own grade sheet: `labs run`, `labs grade` and the tests read it back from there.

What is not covered: an exercise cell that was never run (its name is undefined, so the check cell raises before `check`
is called); code that ends or crashes the process; what `time_limit` says it cannot stop. An answer is called as it is:
when a criterion hands one list to two calls and the answer changes it, the criterion's author has to prevent that.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import partial

from labsupport.course.learner_error import describe, is_stub, learner_line
from labsupport.course.time_limit import TimeLimitReached, call_within
from labsupport.course.verdict import MIME, Check, Criterion, Outcome, Status, Wrong
from labsupport.errors import LabsError

__all__ = ["MIME", "Check", "Criterion", "Outcome", "Status", "Wrong", "check", "latest", "seeds"]

TIME_LIMIT = "time-limit"  # the reason code of an answer that was stopped
LIMIT_S = 10.0  # for all criteria of a check together: a learner waits for it after every run of the cell
PRINTED_LINES = 20
PRINTED_CHARS = 4000

HIDDEN_SEEDS = "LABS_HIDDEN_SEEDS"  # "root:count", set by `labs grade --hidden-seeds`
PROGRESS = "LABS_PROGRESS"  # "1" where verdicts count towards the learner's progress
PUBLIC_SEEDS_END = 2**20  # hidden seeds lie between this and 2**31, which every random generator in use accepts

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


_latest: dict[str, Check] = {}  # the last verdict on each exercise in this kernel


def latest() -> Mapping[str, Check]:
    """Return the last verdict on each exercise that was checked in this kernel."""
    return dict(_latest)


def check(exercise: str, answer: object, criteria: Sequence[Criterion], *, limit_s: float = LIMIT_S) -> Check:
    """Grade `answer` (a value, or a function or class that the criteria call) without ever raising on it.

    `limit_s` is wall-clock seconds for all criteria together. An answer that is or holds `...`, and one that raises the
    NotImplementedError of its stub, is not attempted.

    Raises:
        AssertionError: the check itself is malformed.
        KeyboardInterrupt: somebody pressed Ctrl-C or the notebook's stop button.
    """
    _assert_well_formed(exercise, criteria)
    verdict = _grade(exercise, answer, criteria, limit_s)
    verdict = replace(verdict, note=_record_progress(verdict))
    _latest[exercise] = verdict
    return verdict


def seeds(n: int = 20) -> tuple[int, ...]:
    """Return the seeds to grade on: 0 to n - 1, or those that `labs grade --hidden-seeds` asks for.

    Hidden seeds follow from a root by SHA-256, so that a grade can be reproduced; the grader chooses how many.

    Raises:
        LabsError: LABS_HIDDEN_SEEDS is not `root:count`.
    """
    hidden = os.environ.get(HIDDEN_SEEDS)
    if not hidden:
        return tuple(range(n))
    if not re.fullmatch(r"\d+:[1-9]\d{0,5}", hidden):
        raise LabsError(f"{HIDDEN_SEEDS}={hidden!r}: write two whole numbers, root:count, such as 7:50, or unset it")
    root, count = hidden.split(":")
    found: dict[int, None] = {}  # a dict keeps the order and drops repeats
    index = 0
    while len(found) < int(count):
        digest = hashlib.sha256(f"{root}:{index}".encode()).digest()
        found[PUBLIC_SEEDS_END + int.from_bytes(digest[:8]) % (2**31 - PUBLIC_SEEDS_END)] = None
        index += 1
    return tuple(found)


def _assert_well_formed(exercise: str, criteria: Sequence[Criterion]) -> None:
    """Say a check author's mistake aloud, also under `python -O`."""
    codes = [criterion.code for criterion in criteria]
    problem = None
    if not codes:
        problem = "has no criteria: nothing could fail"
    elif len(set(codes)) < len(codes):
        problem = f"uses a reason code twice: {sorted({code for code in codes if codes.count(code) > 1})}"
    elif TIME_LIMIT in codes:
        problem = f"uses the reason code {TIME_LIMIT!r}, which is reserved for an answer that was stopped"
    elif bad := [code for code in codes if not SLUG.fullmatch(code)]:
        problem = f"uses the reason codes {bad}: write lower-case words joined by '-'"
    if problem:
        raise AssertionError(f"The check of exercise {exercise} {problem}")


def _grade(exercise: str, answer: object, criteria: Sequence[Criterion], limit_s: float) -> Check:
    if _has_gap(answer):
        return Check(exercise, Status.NOT_ATTEMPTED)
    outcomes: list[Outcome] = []
    deadline_s = time.monotonic() + limit_s
    for number, criterion in enumerate(criteria, start=1):
        printed = _FirstLines()
        try:
            with _ctrl_c_noticed(), redirect_stdout(printed), redirect_stderr(printed):
                left_s = max(deadline_s - time.monotonic(), 1e-3)
                ok = call_within(left_s, partial(_holds, criterion, answer))
            note = "" if ok else _note(criterion.hint, printed)
        except _CtrlC:
            raise KeyboardInterrupt from None
        except TimeLimitReached as stopped:
            skipped = len(criteria) - number
            later = f"; not run after it: {skipped} of {len(criteria)} criteria" if skipped else ""
            note = _note(f"stopped in: {criterion.text}{later}", printed, learner_line(stopped, answer))
            outcomes.append(Outcome(TIME_LIMIT, f"the answer is done within {limit_s:g} s", False, note))
            break
        except BaseException as error:  # a learner's mistake is feedback, not a crash, be it SystemExit or MemoryError
            if is_stub(error, answer):
                return Check(exercise, Status.NOT_ATTEMPTED)
            line = learner_line(error, answer)
            what = describe(error) if line else f"the answer could not be examined: {describe(error)}"
            ok, note = False, _note(what, printed, line, f"hint: {criterion.hint}" if criterion.hint else "")
        outcomes.append(Outcome(criterion.code, criterion.text, ok, note))
    passed = all(outcome.ok for outcome in outcomes)
    return Check(exercise, Status.PASSED if passed else Status.FAILED, tuple(outcomes))


def _holds(criterion: Criterion, answer: object) -> bool:
    return bool(criterion.holds(answer))  # inside the time limit: the truth of a learner's object is the learner's code


def _has_gap(answer: object) -> bool:
    """Say whether the answer still is, or holds, the `...` of its stub."""
    if isinstance(answer, dict):
        return any(value is ... for value in answer.values())
    return answer is ... or (isinstance(answer, (tuple, list)) and any(value is ... for value in answer))


def _note(first: str, printed: _FirstLines, *more: str) -> str:
    return "\n".join(line for line in (first, *more, *printed.shown()) if line)


class _FirstLines(io.TextIOBase):
    """A text stream that keeps the first lines and drops the rest: a loop may print until its time limit."""

    def __init__(self) -> None:
        self._kept = ""
        self._dropped = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = 0 if self._kept.count("\n") >= PRINTED_LINES else PRINTED_CHARS - len(self._kept)
        self._kept += text[:room]
        self._dropped = self._dropped or len(text) > room
        return len(text)

    def shown(self) -> list[str]:
        lines = self._kept.splitlines()
        more = ["  ..."] if self._dropped or len(lines) > PRINTED_LINES else []
        return ["the answer printed:", *(f"  {line}" for line in lines[:PRINTED_LINES]), *more] if lines else []


class _CtrlC(BaseException):
    """Ctrl-C was pressed, as opposed to `raise KeyboardInterrupt` in an answer."""


@contextmanager
def _ctrl_c_noticed() -> Iterator[None]:
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
            raise _CtrlC


def _record_progress(verdict: Check) -> str:
    """Append the verdict to the learner's progress where asked to; return why it could not be done, or ""."""
    if os.environ.get(PROGRESS) != "1":
        return ""
    try:
        from labsupport.course import progress

        progress.append(verdict.exercise, verdict.status.value)
    except Exception as error:  # a full disk or a broken file must not cost the learner the verdict
        return f"this verdict was not added to your progress: {describe(error)}"
    return ""
