"""One exercise of a lab, in one place: its heading, its criteria, the course's own answer and known wrong answers.

`checks/weekNN.py` defines one `Exercise` for each; the lab's prose, its check cells, the scoreboard, grades and the
tests of the graders all take what they need from it. `check` is what a check cell calls: the verdict is displayed and
stored in the notebook, which is thereby its own grade sheet (`labs run`, `labs grade` and the tests read it back).

A function or class of `labsupport` is refused as an answer, and so is the exercise's own reference: a lab imports both
next to the exercise, and handing one in would pass.

Limitations: an exercise cell that was never run leaves its name undefined, so the check cell raises before `check` is
called; a function or subclass of the learner's own that calls the package's is not refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from labsupport.course.grading.judging import has_gap, judge_answer
from labsupport.course.grading.learner_error import describe
from labsupport.course.grading.seeds import seeds
from labsupport.course.grading.verdict import REFERENCE, RESERVED, Check, Criterion, Outcome, Status, Wrong

PACKAGE = __name__.partition(".")[0]

LIMIT_S = 10.0  # for all criteria of a check together: a learner waits for it after every run of the cell
LIMIT_SEEDS = 200  # the limit is for up to so many seeds, ten times what a learner's run uses; it grows with more

PROGRESS = "LABS_PROGRESS"  # "1" where verdicts count towards the learner's progress

ID = re.compile(r"(0|[1-9]\d*)\.[1-9]\d*")
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


_latest: dict[str, Check] = {}  # the last verdict on each exercise in this kernel
_passed: dict[str, object] = {}  # the answers to those that passed


def latest() -> Mapping[str, Check]:
    """Return the last verdict on each exercise that was checked in this kernel."""
    return dict(_latest)


@dataclass(frozen=True, eq=False, repr=False)
class Exercise:
    """One exercise: what it asks, how an answer is judged, and the answers that prove the check."""

    id: str
    """Week and number, such as "1.2"."""

    title: str
    minutes: int
    criteria: tuple[Criterion, ...]
    """In the order shown. What depends on `seeds()` asks for them when it is judged, not when it is written."""

    reference: Any
    """The course's own answer: a function or class, or the value of an exercise that asks for one."""

    wrong: tuple[Wrong, ...]
    """Plausible wrong answers, each with the criterion that must reject it."""

    limit_s: float = LIMIT_S
    """Wall-clock seconds for all criteria together on up to `LIMIT_SEEDS` seeds; more seeds get more in proportion."""

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise AssertionError(f"Exercise {self.id} {problem}")  # also under `python -O`, which drops assert

    def check(self, answer: object) -> Check:
        """Return the verdict on a learner's answer: a value, or a function or class that the criteria call.

        Never raises on an answer. The verdict counts towards the learner's progress where LABS_PROGRESS asks for it.

        Raises:
            KeyboardInterrupt: somebody pressed Ctrl-C or the notebook's stop button.
            LabsError: LABS_HIDDEN_SEEDS is not `root:count`.
        """
        verdict = self._refusal(answer) or self.grade(answer)
        verdict = replace(verdict, note=_record_progress(verdict))
        _latest[self.id] = verdict
        if verdict.status is Status.PASSED:
            _passed[self.id] = answer
        else:
            _passed.pop(self.id, None)
        return verdict

    def grade(self, answer: object) -> Check:
        """Return the verdict of the criteria alone, whoever wrote the answer; nothing is refused or recorded."""
        limit_s = self.limit_s * max(1.0, len(seeds()) / LIMIT_SEEDS)
        return judge_answer(self.id, answer, self.criteria, limit_s)

    def working_answer(self) -> Any:
        """Return the learner's answer if its last check in this kernel passed, else the course's: the lab goes on.

        The answer is not looked up by its name: an exercise cell that does not run leaves none.
        """
        return _passed.get(self.id, self.reference)

    @property
    def week(self) -> int:
        """The number of its week."""
        return int(self.id.partition(".")[0])

    @property
    def heading(self) -> str:
        """The exercise by number and title, with the minutes it takes."""
        return f"Exercise {self.id} · {self.title} ({self.minutes} minutes)"

    def __repr__(self) -> str:
        return self.heading

    def _problem(self) -> str | None:
        codes = [criterion.code for criterion in self.criteria]
        if not ID.fullmatch(self.id):
            return "has no id such as 3.2"
        if not self.title.strip() or self.minutes < 1:
            return "needs a title, and a number of minutes"
        if not codes:
            return "has no criteria: nothing could fail"
        if len(set(codes)) < len(codes):
            return f"uses a reason code twice: {sorted({code for code in codes if codes.count(code) > 1})}"
        if reserved := sorted(RESERVED.keys() & set(codes)):
            return f"uses the reason code {reserved[0]!r}, which is reserved for {RESERVED[reserved[0]]}"
        if bad := [code for code in codes if not SLUG.fullmatch(code)]:
            return f"uses the reason codes {bad}: write lower-case words joined by '-'"
        if unknown := [wrong.name for wrong in self.wrong if wrong.fails not in {*codes, *RESERVED}]:
            return f"has wrong answers that fail a criterion it does not have: {unknown}"
        return None

    def _refusal(self, answer: object) -> Check | None:
        """Return the verdict on an answer that is or holds the course's own; None for any other."""
        if has_gap(answer):
            return None
        if name := _holds_any(answer, _package_code):
            note = f"{name} is the package's own code; the exercise asks for yours"
        elif _holds_any(answer, self._is_reference):
            note = "this is the course's own answer; the exercise asks for yours"
        else:
            return None
        return Check(self.id, Status.FAILED, (Outcome(REFERENCE, "the answer is code of your own", False, note),))

    def _is_reference(self, part: object) -> str:
        # A number, a string or a tuple of these may well be the same object without having been taken from here.
        taken = part is self.reference and (callable(part) or isinstance(part, dict | list | set))
        return "reference" if taken else ""


def _holds_any(answer: object, name_of: Callable[[object], str], depth: int = 2) -> str:
    """Return what `name_of` says of the answer, or of the first part of it that it says anything of, or ""."""
    if name := name_of(answer):
        return name
    if isinstance(answer, partial):
        return _holds_any(answer.func, name_of, depth)
    if depth and isinstance(answer, tuple | list | dict):
        parts = answer.values() if isinstance(answer, dict) else answer
        return next((name for part in parts if (name := _holds_any(part, name_of, depth - 1))), "")
    return ""


def _package_code(answer: object) -> str:
    """Return the name of a function or class of labsupport, or ""."""
    if not isinstance(answer, (type, FunctionType, MethodType)):
        return ""  # an object of the package is a value that an exercise may well ask for
    module, name = str(answer.__module__), answer.__qualname__
    return f"{module}.{name}" if module.partition(".")[0] == PACKAGE else ""


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
