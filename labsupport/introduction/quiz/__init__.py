"""The self-assessment of week 0: 19 ratings, a placement, and four questions whose answers are computed.

answers = quiz.answers_template()   # fill in 1 to 5
placement = quiz.place(answers)
quiz.diagnose("ml", 8)
"""

from __future__ import annotations

from labsupport.introduction.quiz.diagnostics import DIAGNOSTICS, Diagnostic, diagnose
from labsupport.introduction.quiz.items import (
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
from labsupport.introduction.quiz.placement import GroupScore, Placement, place, score
from labsupport.introduction.quiz.widget import answers_template, widget

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
    "answers_template",
    "band_of",
    "diagnose",
    "place",
    "score",
    "widget",
]
