"""Grade one exercise the moment it is run.

A check never raises on an answer: whatever the learner's code does (raise, exit, loop for ever, print a million lines)
becomes a failed criterion with a note. The verdict is displayed by the check cell and stored in the notebook, which is
thereby its own grade sheet: `labs run`, `labs grade` and the tests read it back from there.

A function or class of `labsupport` is refused as an answer: a lab imports the reference next to the exercise, and
handing it in would pass.

What is not covered: an exercise cell that was never run (its name is undefined, so the check cell raises before `check`
is called); code that crashes the process or ends it with `os._exit`; what `time_limit` says it cannot stop; a function
or subclass of the learner's own that calls the package's. An answer is called as it is: when a criterion hands one list
to two calls and the answer changes it, the criterion's author has to prevent that.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import partial
from types import FunctionType, MethodType
from typing import Any, TypeVar, cast

from labsupport.course.display.printed import ANSI
from labsupport.course.grading.learner_error import describe, is_stub, learner_line
from labsupport.course.grading.time_limit import TimeLimitReached, call_within
from labsupport.course.grading.verdict import MIME, Check, Criterion, Outcome, Status, Wrong
from labsupport.errors import LabsError

__all__ = ["MIME", "Check", "Criterion", "Outcome", "Status", "Wrong", "check", "latest", "seeds", "yours_or"]

Answer = TypeVar("Answer")

PACKAGE = __name__.partition(".")[0]

TIME_LIMIT = "time-limit"  # the reason code of an answer that was stopped
REFERENCE = "reference"  # the reason code of an answer that is the package's own code
RESERVED = {TIME_LIMIT: "an answer that was stopped", REFERENCE: "an answer that is the package's own code"}

LIMIT_S = 10.0  # for all criteria of a check together: a learner waits for it after every run of the cell
LIMIT_SEEDS = 200  # the limit is for up to so many seeds, ten times what a learner's run uses; it grows with more

PRINTED_LINES = 5
PRINTED_CHARS = 100  # of a line, which stands indented under its criterion
KEPT_CHARS = 4000  # of all lines: a line may be megabytes long

HIDDEN_SEEDS = "LABS_HIDDEN_SEEDS"  # "root:count", set by `labs grade --hidden-seeds`
PROGRESS = "LABS_PROGRESS"  # "1" where verdicts count towards the learner's progress
PUBLIC_SEEDS_END = 2**20  # hidden seeds lie between this and 2**31, which every random generator in use accepts

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


_latest: dict[str, Check] = {}  # the last verdict on each exercise in this kernel
_passed: dict[str, object] = {}  # the answers to those that passed


def latest() -> Mapping[str, Check]:
    """Return the last verdict on each exercise that was checked in this kernel."""
    return dict(_latest)


def yours_or(exercise: str, reference: Answer) -> Answer:
    """Return the learner's answer if its last check in this kernel passed, else the course's, so that a lab goes on.

    The answer is not looked up by its name: an exercise cell that does not run leaves none.
    """
    return cast(Answer, _passed.get(exercise, reference))


def check(exercise: str, answer: object, criteria: Sequence[Criterion], *, limit_s: float = LIMIT_S) -> Check:
    """Grade `answer` (a value, or a function or class that the criteria call) without ever raising on it.

    `limit_s` is wall-clock seconds for all criteria together, on up to `LIMIT_SEEDS` seeds; more hidden seeds get more
    in proportion. An answer that is or holds `...`, and one that raises the NotImplementedError of its stub, is not
    attempted. One that is or holds a function or class of labsupport fails.

    Raises:
        AssertionError: the check itself is malformed.
        KeyboardInterrupt: somebody pressed Ctrl-C or the notebook's stop button.
        LabsError: LABS_HIDDEN_SEEDS is not `root:count`.
    """
    _assert_well_formed(exercise, criteria)
    verdict = _grade(exercise, answer, criteria, limit_s * max(1.0, len(seeds()) / LIMIT_SEEDS))
    verdict = replace(verdict, note=_record_progress(verdict))
    _latest[exercise] = verdict
    if verdict.status is Status.PASSED:
        _passed[exercise] = answer
    else:
        _passed.pop(exercise, None)
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
    elif reserved := sorted(RESERVED.keys() & set(codes)):
        problem = f"uses the reason code {reserved[0]!r}, which is reserved for {RESERVED[reserved[0]]}"
    elif bad := [code for code in codes if not SLUG.fullmatch(code)]:
        problem = f"uses the reason codes {bad}: write lower-case words joined by '-'"
    if problem:
        raise AssertionError(f"The check of exercise {exercise} {problem}")


def _grade(exercise: str, answer: object, criteria: Sequence[Criterion], limit_s: float) -> Check:
    if _has_gap(answer):
        return Check(exercise, Status.NOT_ATTEMPTED)
    if name := _package_code(answer):
        note = f"{name} is the package's own code; the exercise asks for yours"
        return Check(exercise, Status.FAILED, (Outcome(REFERENCE, "the answer is code of your own", False, note),))
    outcomes: list[Outcome] = []
    printed = _FirstLines()
    deadline_s = time.monotonic() + limit_s
    for number, criterion in enumerate(criteria, start=1):
        printed.begin()
        try:
            with _ctrl_c_noticed(), _exit_raises(), redirect_stdout(printed), redirect_stderr(printed):
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
            what = _what(error, answer, line)
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


def _package_code(answer: object, depth: int = 2) -> str:
    """Return the name of a function or class of labsupport that the answer is or holds, or ""."""
    if isinstance(answer, partial):
        return _package_code(answer.func, depth)
    if isinstance(answer, (tuple, list, dict)):
        parts = (answer.values() if isinstance(answer, dict) else answer) if depth else ()
        return next((name for part in parts if (name := _package_code(part, depth - 1))), "")
    if not isinstance(answer, (type, FunctionType, MethodType)):
        return ""  # an object of the package is a value that an exercise may well ask for
    module, name = str(answer.__module__), answer.__qualname__
    return f"{module}.{name}" if module.partition(".")[0] == PACKAGE else ""


def _what(error: BaseException, answer: object, line: str) -> str:
    """Say what was raised; `line` is the learner's own, or "" where only the check was at work."""
    if isinstance(error, SystemExit):
        return f"the answer ended the program ({describe(error)}); let it return a value"
    if line:
        return describe(error)
    if isinstance(error, KeyError):
        return _missing_key(error, answer)
    return f"the answer could not be examined: {describe(error)}"


def _missing_key(error: KeyError, answer: object) -> str:
    """Name the key that a check did not find in the answer, or in what the answer returned."""
    missing = describe(error).removeprefix("KeyError: ")
    if not isinstance(answer, dict):
        return f"what the answer returns has no key {missing}"
    keys = ", ".join(repr(key) for key in answer if isinstance(key, str))
    return f"the answer has no key {missing}; its keys are {keys}" if keys else f"the answer has no key {missing}"


def _note(first: str, printed: _FirstLines, *more: str) -> str:
    return "\n".join(line for line in (first, *more, *printed.shown()) if line)


class _FirstLines(io.TextIOBase):
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

    def shown(self) -> list[str]:
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
def _exit_raises() -> Iterator[None]:
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
        from labsupport.course.grading import progress

        progress.append(verdict.exercise, verdict.status.value)
    except Exception as error:  # a full disk or a broken file must not cost the learner the verdict
        return f"this verdict was not added to your progress: {describe(error)}"
    return ""
