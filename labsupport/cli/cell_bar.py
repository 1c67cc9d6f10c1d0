"""A progress bar over the cells of a notebook: how many are done, for how long, and what the current one is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labsupport.course.notebooks.execution import Progress

SHOWN_CHARS = 60


class Move(Protocol):
    """What moves a bar; `notebook` is a new title, where several notebooks follow one another."""

    def __call__(self, now: Progress, notebook: str = ..., /) -> None: ...


@contextmanager
def cell_bar(title: str, *, transient: bool = False) -> Iterator[Move]:
    """Yield what shows a bar and moves it; it stays where it was last, so that a run that ended early shows where.

    Args:
        transient: remove the bar at the end.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    # Only the text gives way on a narrow terminal.
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=16, table_column=Column(min_width=16)),
        MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
        TimeElapsedColumn(table_column=Column(no_wrap=True, min_width=7)),
        TextColumn("{task.fields[cell]}", table_column=Column(no_wrap=True, overflow="ellipsis"), markup=False),
    ]
    bar = Bar(*columns, transient=transient)
    task = bar.add_task(title, total=None, cell="")

    def move(now: Progress, notebook: str = title, /) -> None:
        bar.start()  # no earlier: a week that does not exist is refused without a bar
        text = now.first_line.strip("#*` ")[:SHOWN_CHARS]
        bar.update(task, description=notebook, total=now.total, completed=now.done, cell=text)

    try:
        yield move
    finally:
        if bar.live.is_started:
            bar.stop()
