"""Turn 19 answers into a score, a placement, and what to read first.

A total can hide a hole: a group below half of its maximum adds the prerequisite reading of the projects that need it,
whatever the total. Go counts in the total and never gates: a group that is low only because of Go is neither a hole nor
the weakest.

Limitations: nobody checks whether a self-rating is true. The diagnostics are shown beside it and change nothing here.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from labsupport.errors import LabsError
from labsupport.introduction.quiz.items import (
    BANDS,
    FOOTNOTE,
    GROUPS,
    HIGHEST,
    ITEMS,
    LOWEST,
    MAXIMUM,
    Band,
    Group,
    band_of,
)


@dataclass(frozen=True)
class GroupScore:
    """The points of one group, and the share of the maximum that its required items reach."""

    group: Group
    points: int
    required_share: float

    @property
    def hole(self) -> bool:
        """Whether the group lies below half of its maximum, and would without its optional item too."""
        return self.points < self.group.hole_below and self.required_share < 1 / 2


@dataclass(frozen=True)
class Placement:
    """Where 19 answers place a learner; a notebook displays it."""

    score: int
    groups: tuple[GroupScore, ...]

    @property
    def band(self) -> Band:
        """The band of the score."""
        return band_of(self.score)

    @property
    def reading(self) -> tuple[GroupScore, ...]:
        """The groups whose prerequisite reading comes first: every hole, and the weakest group where the band says so.

        Of groups that tie for weakest, every one counts.
        """
        lowest = min(group.required_share for group in self.groups)
        asked = self.band is BANDS[1]
        return tuple(group for group in self.groups if group.hole or (asked and group.required_share == lowest))

    @property
    def reading_projects(self) -> tuple[str, ...]:
        """The projects of that reading, each once, in the order of the course."""
        return tuple(sorted({project for group in self.reading for project in group.group.projects}))

    def __repr__(self) -> str:
        lines = [f"{self.score} of {MAXIMUM}: {self.band.placement}"]
        lines += [f"  {name:<20} {points:>8}  {remark}".rstrip() for name, points, remark in self._rows()]
        return "\n".join([*lines, *self._advice(), f"Note: {FOOTNOTE}"])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        cells = (
            "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>"
            for row in self._rows()
        )
        advice = "".join(f"<p>{escape(line)}</p>" for line in self._advice())
        title = f"<p><strong>{self.score} of {MAXIMUM}: {escape(self.band.placement)}</strong></p>"
        return f"<div>{title}<table>{''.join(cells)}</table>{advice}<p><small>{escape(FOOTNOTE)}</small></p></div>"

    def _rows(self) -> list[tuple[str, str, str]]:
        return [
            (
                item.group.title,
                f"{item.points} of {item.group.maximum}",
                f"below half ({item.group.hole_below})" if item.hole else "",
            )
            for item in self.groups
        ]

    def _advice(self) -> list[str]:
        return [
            f"Before projects {', '.join(item.group.projects)}: their prerequisite reading, for {item.group.title}"
            for item in self.reading
        ]


def score(answers: Mapping[str, int]) -> int:
    """Return the sum of the 19 answers.

    Raises:
        LabsError: an item is missing, unknown, or not a whole number from 1 to 5.
    """
    return sum(_checked(answers).values())


def place(answers: Mapping[str, int]) -> Placement:
    """Return where the 19 answers, item id to 1..5, place a learner.

    Raises:
        LabsError: an item is missing, unknown, or not a whole number from 1 to 5.
    """
    checked = _checked(answers)
    groups = tuple(_group_score(group, checked) for group in GROUPS)
    return Placement(sum(checked.values()), groups)


def _group_score(group: Group, answers: Mapping[str, int]) -> GroupScore:
    required = [answers[item.id] for item in group.items if item.required]
    points = sum(answers[item.id] for item in group.items)
    return GroupScore(group, points, sum(required) / (HIGHEST * len(required)))


def _checked(answers: Mapping[str, int]) -> dict[str, int]:
    known = {item.id for item in ITEMS}
    for item_id in answers:
        if item_id not in known:
            raise LabsError(f"item {item_id!r}: not in the quiz; its items are {', '.join(item.id for item in ITEMS)}")
    return {item.id: _rating(item.id, answers.get(item.id)) for item in ITEMS}


def _rating(item_id: str, answer: object) -> int:
    if answer is None or answer is ...:
        raise LabsError(f"item {item_id!r}: not answered; give a whole number from {LOWEST} to {HIGHEST}")
    # numbers.Integral takes NumPy's integers along; True is Integral too, and no rating.
    whole = isinstance(answer, numbers.Integral) and not isinstance(answer, bool)
    if not whole or not LOWEST <= answer <= HIGHEST:  # type: ignore[operator]
        raise LabsError(
            f"item {item_id!r}: {answer!r} is not a rating; allowed are whole numbers {LOWEST} to {HIGHEST}"
        )
    return int(answer)  # type: ignore[call-overload]
