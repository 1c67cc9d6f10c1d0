"""Read a py:percent source so that every line of it is a line of the notebook.

jupytext takes a comment that begins like a shell command or a magic (`# copy the weights`, `# ls`, `# %timeit`) for one
that it had commented out itself, and makes it a live line. That is switched off here, and whatever else it would change
or drop is refused with its line: a cell that nobody wrote would only be noticed by whoever runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat

FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
CELL_MARKER = re.compile(r"#\s*%%(\s|$)")
HEADER_FENCE = "# ---"


def read_percent(path: Path) -> nbformat.NotebookNode:
    """Return the cells of a source.

    Raises:
        LabsError: the file cannot be read, or holds a line that its notebook would not show as it is written.
    """
    import jupytext

    try:
        text = path.read_text(encoding="utf-8")
        notebook = jupytext.reads(text, fmt=FORMAT)
    except (OSError, ValueError) as error:
        raise LabsError(f"{path}: cannot be read as a py:percent source ({error})") from error
    _assert_every_line_kept(path, text, notebook)
    return notebook


def _assert_every_line_kept(path: Path, text: str, notebook: nbformat.NotebookNode) -> None:
    cell_lines = _cell_lines(notebook)
    kind, shown = next(cell_lines, ("", ""))
    for number, line in _source_lines(text):
        verbatim, commented = line == shown, line in (f"# {shown}", f"#{shown}")
        if verbatim if kind == "code" else commented:
            kind, shown = next(cell_lines, ("", ""))
        elif not CELL_MARKER.match(line) and line != "#":  # an empty line of prose is skipped on both sides
            what = "the notebook would leave it out" if not shown else f"the notebook would say {shown!r}"
            if verbatim:
                what = "a line of a markdown cell begins with #; does a # %% for a code cell miss above it?"
            raise LabsError(f"{path.name}, line {number} ({line.strip()[:60]}): {what}")
    if shown:
        raise LabsError(f"{path.name}: its notebook would hold a line that is not in the source: {shown[:60]!r}")


def _cell_lines(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, str]]:
    for cell in notebook.cells:
        for line in cell.source.splitlines():
            if line.strip():
                yield cell.cell_type, line.rstrip()


def _source_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not empty, without jupytext's header."""
    lines = [line.rstrip() for line in text.splitlines()]
    first = 0
    if lines and lines[0] == HEADER_FENCE and HEADER_FENCE in lines[1:]:
        first = lines.index(HEADER_FENCE, 1) + 1
    for number, line in enumerate(lines[first:], start=first + 1):
        if line:
            yield number, line
