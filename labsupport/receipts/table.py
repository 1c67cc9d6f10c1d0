"""Show receipts as a table: in a notebook (HTML and plain text) and on the command line (rich).

What a number is worth is told by a word and by the shape of its badge, so it survives black-and-white print, dark
themes, and code hosts that strip every style. A goal is not a result: it is refused unless goals are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from labsupport.receipts.receipt import Kind, Receipt

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("name", "kind", "value", "n", "hardware")
HARDWARE_CHARACTERS = 48
DIGITS = 3  # significant digits where no spread says how many there are
PLAIN_FROM, PLAIN_BELOW = 1e-3, 1e6  # written out between these, with an exponent outside

# Inline styles: JupyterLab keeps them in a notebook it does not trust, and drops <style>. Only the measured badge has
# colours of its own (white on dark green, contrast above 4.5); the others take the text colour of whatever theme is on.
_BADGE = "padding:0 0.5em;border-radius:0.6em;white-space:nowrap;border-width:1.5px;"
_BADGE_STYLES = {
    Kind.MEASURED: _BADGE + "border-style:solid;color:#ffffff;background-color:#1a6e35;font-weight:bold",
    Kind.SIMULATED: _BADGE + "border-style:solid",
    Kind.MODELLED: _BADGE + "border-style:dashed",
    Kind.QUOTED: _BADGE + "border-style:dotted;font-style:italic",
    Kind.TARGET: _BADGE + "border-style:double;border-width:4px;text-transform:uppercase",
}
_TERMINAL_STYLES = {
    Kind.MEASURED: "bold green",
    Kind.SIMULATED: "cyan",
    Kind.MODELLED: "yellow",
    Kind.QUOTED: "italic magenta",
    Kind.TARGET: "reverse",
}
_CELL = "text-align:left;padding:0.2em 0.8em"
_NUMBER_CELL = "text-align:right;padding:0.2em 0.8em"


class ReceiptTable:
    """Receipts ready to be displayed.

    Raises:
        ValueError: a receipt of kind `target` among results.
    """

    def __init__(self, receipts: Iterable[Receipt], *, targets: bool = False, caption: str = "") -> None:
        self.receipts = tuple(receipts)
        self.caption = caption
        goals = [receipt.name for receipt in self.receipts if receipt.kind is Kind.TARGET]
        if goals and not targets:
            names = ", ".join(goals)
            raise ValueError(f"receipt kind is 'target' for {names}: a goal is not a result; pass targets=True")

    def __repr__(self) -> str:
        rows = [COLUMNS, *map(_cells, self.receipts)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = [_aligned(row, widths) for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.caption, *lines] if self.caption else lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self.to_html()}

    def to_html(self) -> str:
        """Return the table as HTML that needs no style sheet and follows the theme it is shown in.

        A column that says nothing of any receipt is left out.
        """
        rows = [dict(zip(COLUMNS, _cells(receipt), strict=True)) for receipt in self.receipts]
        columns = [column for column in COLUMNS if not rows or any(row[column] for row in rows)]
        head = "".join(f'<th style="{_style(column)}">{column}</th>' for column in columns)
        caption = f'<caption style="{_CELL}">{escape(self.caption)}</caption>' if self.caption else ""
        body = "".join(_html_row(receipt, columns) for receipt in self.receipts)
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table(receipts: Iterable[Receipt], *, targets: bool = False, caption: str = "") -> ReceiptTable:
    """Return receipts as a table that a notebook displays; goals only with `targets=True`."""
    return ReceiptTable(receipts, targets=targets, caption=caption)


def rich_table(receipts: Iterable[Receipt], *, targets: bool = False, caption: str = "") -> Table:
    """Return receipts as a table for a terminal; goals only with `targets=True`."""
    from rich.table import Table
    from rich.text import Text

    shown = ReceiptTable(receipts, targets=targets, caption=caption)
    # Machines are named once, below: a terminal has 80 columns.
    machines = [name for name in dict.fromkeys(receipt.hardware for receipt in shown.receipts) if name]
    several = len({receipt.hardware for receipt in shown.receipts}) > 1
    notes = [f"{number}: {name}" for number, name in enumerate(machines, start=1)] if several else machines
    columns = (*COLUMNS[:-1], *(["on"] if several else []))
    below = Text("\n".join(notes)) if notes else None
    grid = Table(title=caption or None, title_justify="left", caption=below, caption_justify="left")
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in ("value", "n", "on") else "left"
        # Only a name may be broken, at any letter, when the terminal is too narrow: half a value is another value.
        grid.add_column(column, justify=justify, no_wrap=column != "name", overflow="fold")
    for receipt in shown.receipts:
        # Text, not markup: a name such as "step[0]" is content.
        cells = [Text(cell) for cell in _cells(receipt)[:-1]]
        cells[1].stylize(_TERMINAL_STYLES[receipt.kind])
        if several:
            cells.append(Text(str(machines.index(receipt.hardware) + 1) if receipt.hardware else ""))
        grid.add_row(*cells)
    return grid


def quantity_text(receipt: Receipt) -> str:
    """Return value, spread and unit as people write them: "41.2 ± 0.8 ms"; the spread says how many digits count."""
    value, spread = receipt.value, receipt.spread
    if receipt.unit == "bool" and value in (0, 1) and not spread:
        return "yes" if value else "no"
    if not spread:
        return f"{significant(value, receipt.unit)} {receipt.unit}"
    exponent = _exponent(value) if value and not PLAIN_FROM <= abs(value) < PLAIN_BELOW else 0
    # One digit of the spread, two where the first is a 1: rounding changes it by a quarter at most.
    spread_digits = 2 if f"{spread:e}".startswith("1") else 1
    decimals = spread_digits - 1 - _exponent(spread) + exponent
    numbers = (round(number / 10.0**exponent, decimals) for number in (value, spread))
    shown = " ± ".join(f"{number:,.{max(0, decimals)}f}" for number in numbers)
    return f"({shown})e{exponent} {receipt.unit}" if exponent else f"{shown} {receipt.unit}"


def significant(value: float, unit: str = "") -> str:
    """Return a number with three significant digits, and more where three would mislead.

    Whole numbers up to a million are counts and stay whole; shares near one keep the digits in which they differ from
    it, since an availability of 0.9995 is not 1.00.
    """
    size = abs(value)
    if value and not PLAIN_FROM <= size < PLAIN_BELOW:
        mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if value.is_integer():
        return f"{value:,.0f}"
    decimals = DIGITS - 1 - _exponent(value)
    missing = {"%": 100 - size, "fraction": 1 - size}.get(unit, 0)
    if 0 < missing < size / 10:
        decimals = max(decimals, 1 - _exponent(missing))
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _cells(receipt: Receipt) -> tuple[str, ...]:
    hardware = receipt.hardware
    if len(hardware) > HARDWARE_CHARACTERS:
        hardware = hardware[: HARDWARE_CHARACTERS - 1].rstrip() + "…"
    count = "" if receipt.n is None else f"n={receipt.n}"
    return receipt.name, receipt.kind.value, quantity_text(receipt), count, hardware


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in ("value", "n") else cell.ljust(width)
        for cell, width, column in zip(row, widths, COLUMNS, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _style(column: str) -> str:
    return _NUMBER_CELL if column in ("value", "n") else _CELL


def _html_row(receipt: Receipt, columns: Sequence[str]) -> str:
    cells = dict(zip(COLUMNS, map(escape, _cells(receipt)), strict=True))
    cells["kind"] = f'<span style="{_BADGE_STYLES[receipt.kind]}">{cells["kind"]}</span>'
    # A pointer resting on the badge or the hardware reads the rest.
    titles = {"kind": receipt.source or receipt.command, "hardware": receipt.hardware}
    shown = (
        f'<td style="{_style(column)}" title="{escape(titles.get(column, ""))}">{cells[column]}</td>'
        for column in columns
    )
    return f"<tr>{''.join(shown)}</tr>"
