"""What the notebooks of an AI-infrastructure course call: training, receipts, faults and grading that run for real.

The names below are the public surface for notebooks; everything is loaded on first use, so that importing the package
costs nothing. Larger parts are imported by their module, such as `from labsupport.training import trainer`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labsupport.course.display.figures import BarFigure, Line, LineFigure, format_guess
    from labsupport.course.display.live import TrainingProgress
    from labsupport.course.display.word_table import WordTable
    from labsupport.course.grading.exercise import Exercise
    from labsupport.course.grading.scoreboard import scoreboard
    from labsupport.course.grading.seeds import seeds
    from labsupport.course.grading.verdict import Check, Criterion, Status, Wrong
    from labsupport.errors import LabsError
    from labsupport.hardware import machine, profile
    from labsupport.receipts.ledger import record
    from labsupport.receipts.receipt import Kind, Receipt
    from labsupport.receipts.table import ReceiptTable

__all__ = [
    "BarFigure",
    "Check",
    "Criterion",
    "Exercise",
    "Kind",
    "LabsError",
    "Line",
    "LineFigure",
    "Receipt",
    "ReceiptTable",
    "Status",
    "TrainingProgress",
    "WordTable",
    "Wrong",
    "format_guess",
    "machine",
    "profile",
    "record",
    "scoreboard",
    "seeds",
]

_HOME = {
    "BarFigure": "labsupport.course.display.figures",
    "Check": "labsupport.course.grading.verdict",
    "Criterion": "labsupport.course.grading.verdict",
    "Exercise": "labsupport.course.grading.exercise",
    "Kind": "labsupport.receipts.receipt",
    "LabsError": "labsupport.errors",
    "Line": "labsupport.course.display.figures",
    "LineFigure": "labsupport.course.display.figures",
    "Receipt": "labsupport.receipts.receipt",
    "ReceiptTable": "labsupport.receipts.table",
    "Status": "labsupport.course.grading.verdict",
    "TrainingProgress": "labsupport.course.display.live",
    "WordTable": "labsupport.course.display.word_table",
    "Wrong": "labsupport.course.grading.verdict",
    "format_guess": "labsupport.course.display.figures",
    "machine": "labsupport.hardware",
    "profile": "labsupport.hardware",
    "record": "labsupport.receipts.ledger",
    "scoreboard": "labsupport.course.grading.scoreboard",
    "seeds": "labsupport.course.grading.seeds",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'labsupport' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
