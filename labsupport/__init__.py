"""What the notebooks of an AI-infrastructure course call: training, receipts, faults and grading that run for real.

The names below are the public surface for notebooks; everything is loaded on first use, so that importing the package
costs nothing. Larger parts are imported by their module, such as `from labsupport.training import trainer`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labsupport.course.figures import BarFigure, Line, LineFigure, told
    from labsupport.course.grading import Check, Criterion, Status, Wrong, check, seeds
    from labsupport.course.live import TrainingProgress
    from labsupport.course.scoreboard import scoreboard
    from labsupport.course.word_table import WordTable
    from labsupport.errors import LabsError
    from labsupport.hardware import machine, profile
    from labsupport.receipts.ledger import record
    from labsupport.receipts.receipt import Kind, Receipt
    from labsupport.receipts.table import ReceiptTable

__all__ = [
    "BarFigure",
    "Check",
    "Criterion",
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
    "check",
    "machine",
    "profile",
    "record",
    "scoreboard",
    "seeds",
    "told",
]

_HOME = {
    "BarFigure": "labsupport.course.figures",
    "Check": "labsupport.course.grading",
    "Criterion": "labsupport.course.grading",
    "Kind": "labsupport.receipts.receipt",
    "LabsError": "labsupport.errors",
    "Line": "labsupport.course.figures",
    "LineFigure": "labsupport.course.figures",
    "Receipt": "labsupport.receipts.receipt",
    "ReceiptTable": "labsupport.receipts.table",
    "Status": "labsupport.course.grading",
    "TrainingProgress": "labsupport.course.live",
    "WordTable": "labsupport.course.word_table",
    "Wrong": "labsupport.course.grading",
    "check": "labsupport.course.grading",
    "machine": "labsupport.hardware",
    "profile": "labsupport.hardware",
    "record": "labsupport.receipts.ledger",
    "scoreboard": "labsupport.course.scoreboard",
    "seeds": "labsupport.course.grading",
    "told": "labsupport.course.figures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'labsupport' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
