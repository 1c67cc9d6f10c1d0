"""A bar appears with the first cell that is announced, and stays where the run ended."""

from __future__ import annotations

import pytest

from labsupport.cli.cell_bar import cell_bar
from labsupport.course.notebooks.execution import Progress
from labsupport.errors import LabsError


def test_a_refusal_before_the_first_cell_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabsError), cell_bar("week 9"):
        raise LabsError("week 9: not one of the weeks here: 0, 1")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("last", "shown"), [(Progress(3, 8, "exit()"), "3/8"), (Progress(8, 8, ""), "8/8")])
def test_the_bar_stays_where_the_run_ended(last: Progress, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with cell_bar("week 0") as move:
        move(Progress(0, 8, "starting a kernel"))
        move(last)
    out = capsys.readouterr().out
    assert shown in out
    assert last.first_line in out


def test_the_title_follows_the_notebook_that_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    with cell_bar("building") as move:
        move(Progress(1, 2, "import os"), "lab week00")
    assert "lab week00" in capsys.readouterr().out
