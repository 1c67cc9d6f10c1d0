"""The self-assessment of week 0: 19 ratings, a placement, a path, and four questions that are run.

answers = quiz.answers_template()   # fill in 1 to 5
placement = quiz.place(answers)
quiz.recommend(placement, "training")
quiz.diagnose("ml", 8)
"""

from __future__ import annotations

from labsupport.course.quiz.diagnostics import DIAGNOSTICS, Diagnostic, diagnose
from labsupport.course.quiz.items import (
    BANDS,
    FOOTNOTE,
    GROUPS,
    ITEMS,
    MAXIMUM,
    MINIMUM,
    Band,
    Group,
    Item,
    band_of,
)
from labsupport.course.quiz.placement import GroupScore, Placement, Recommendation, place, recommend, score
from labsupport.course.quiz.widget import answers_template, widget

__all__ = [
    "BANDS",
    "DIAGNOSTICS",
    "FOOTNOTE",
    "GROUPS",
    "ITEMS",
    "MAXIMUM",
    "MINIMUM",
    "Band",
    "Diagnostic",
    "Group",
    "GroupScore",
    "Item",
    "Placement",
    "Recommendation",
    "answers_template",
    "band_of",
    "diagnose",
    "place",
    "recommend",
    "score",
    "widget",
]
