"""A table of words: left-aligned and wrapped, where a data frame's HTML would set them right-aligned and cut them.

Numbers are set right-aligned, as in a data frame. Receipts have a table of their own (`labsupport.receipts.table`), and
data that somebody computes with stay in pandas.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

_CELL = "padding:0.2em 0.8em;vertical-align:top;text-align:"


class WordTable:
    """Rows of words and numbers, ready to be displayed; text between backticks is set as code."""

    def __init__(self, rows: Iterable[Sequence[Any]], columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(row) for row in rows]
        odd = [row for row in self.rows if len(row) != len(self.columns)]
        if odd:
            raise ValueError(f"row {odd[0]!r} has {len(odd[0])} cells, the table {len(self.columns)} columns")

    def __repr__(self) -> str:
        rows = [self.columns, *[tuple(map(_text, row)) for row in self.rows]]
        widths = [max(len(row[position]) for row in rows) for position in range(len(self.columns))]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._html()}

    def _html(self) -> str:
        head = "".join(f'<th style="{_CELL}left">{escape(column)}</th>' for column in self.columns)
        body = "".join(f"<tr>{''.join(map(_html_cell, row))}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_cell(value: Any) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    return f'<td style="{_CELL}{side}">{code_as_html(_text(value))}</td>'


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def code_as_html(text: str) -> str:
    """Return text as HTML, with what stands between backticks set as code, as in the markdown around it."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:  # a backtick without its pair is only a backtick
        return escape(text)
    return "".join(f"<code>{part}</code>" if odd % 2 else part for odd, part in enumerate(parts))
