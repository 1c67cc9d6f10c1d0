"""Judge an answer by criteria that call it, without ever raising on it.

Whatever the learner's code does (raise, exit, loop for ever, print a million lines) becomes a failed criterion with a
note. An answer is called as it is: when a criterion hands one list to two calls and the answer changes it, the
criterion's author has to prevent that.

Limitations: code that crashes the process or ends it with `os._exit`, and what `time_limit` says it cannot stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial, wraps
from typing import Any, TypeVar, cast

from labsupport.course.grading.containment import CtrlC, FirstLines, ctrl_c_noticed, exit_raises
from labsupport.course.grading.learner_error import describe, is_stub, learner_line
from labsupport.course.grading.time_limit import TimeLimitReached, call_within
from labsupport.course.grading.verdict import TIME_LIMIT, Check, Criterion, Outcome, Status

Result = TypeVar("Result")

_judgements: list[dict[Callable[[Any], object], object]] = []  # results by function, of each judgement in progress


def judge_answer(exercise: str, answer: object, criteria: Sequence[Criterion], limit_s: float) -> Check:
    """Return the verdict of the criteria; `limit_s` is wall-clock seconds for all of them together.

    An answer that is or holds `...`, and one that raises the NotImplementedError of its stub, is not attempted.

    Raises:
        KeyboardInterrupt: somebody pressed Ctrl-C or the notebook's stop button.
    """
    if has_gap(answer):
        return Check(exercise, Status.NOT_ATTEMPTED)
    with _results_shared():
        return _judge(exercise, answer, criteria, limit_s)


def shared(function: Callable[[Any], Result]) -> Callable[[Any], Result]:
    """Let the criteria of one judgement share what `function(answer)` returns: it is called once, by the first."""

    @wraps(function)
    def call(answer: Any) -> Result:
        results: dict[Any, Any] = _judgements[-1] if _judgements else {}
        if function not in results:
            results[function] = function(answer)
        return cast(Result, results[function])

    return call


@contextmanager
def _results_shared() -> Iterator[None]:
    _judgements.append({})
    try:
        yield
    finally:
        _judgements.pop()


def _judge(exercise: str, answer: object, criteria: Sequence[Criterion], limit_s: float) -> Check:
    outcomes: list[Outcome] = []
    printed = FirstLines()
    deadline_s = time.monotonic() + limit_s
    for number, criterion in enumerate(criteria, start=1):
        printed.begin()
        try:
            with ctrl_c_noticed(), exit_raises(), redirect_stdout(printed), redirect_stderr(printed):
                left_s = max(deadline_s - time.monotonic(), 1e-3)
                ok = call_within(left_s, partial(_holds, criterion, answer))
            note = "" if ok else _note(criterion.hint, printed)
        except CtrlC:
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


def has_gap(answer: object) -> bool:
    """Say whether the answer still is, or holds, the `...` of its stub."""
    if isinstance(answer, dict):
        return any(value is ... for value in answer.values())
    return answer is ... or (isinstance(answer, (tuple, list)) and any(value is ... for value in answer))


def _holds(criterion: Criterion, answer: object) -> bool:
    return bool(criterion.holds(answer))  # inside the time limit: the truth of a learner's object is the learner's code


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


def _note(first: str, printed: FirstLines, *more: str) -> str:
    return "\n".join(line for line in (first, *more, *printed.shown()) if line)
