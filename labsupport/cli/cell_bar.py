"""A progress bar over the cells of a notebook: how many are done, for how long, and what the current one is about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labsupport.course.execution import Progress

SHOWN_CHARS = 60


class Move(Protocol):
    """What moves a bar; `notebook` is a new title, where several notebooks follow one another."""

    def __call__(self, now: Progress, notebook: str = ..., /) -> None: ...


@contextmanager
def cell_bar(title: str, *, transient: bool = False) -> Iterator[Move]:
    """Show a bar and yield what moves it.

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
    with Bar(*columns, transient=transient) as bar:
        task = bar.add_task(title, total=None, cell="starting a kernel")

        def move(now: Progress, notebook: str = title, /) -> None:
            text = now.first_line.strip("#*` ")[:SHOWN_CHARS]
            bar.update(task, description=notebook, total=now.total, completed=now.done, cell=text)

        yield move
        if bar.tasks[task].total is not None:
            bar.update(task, completed=bar.tasks[task].total, cell="")
