"""Parameters go into a cell of their own behind the one that assigns them, once, and only those that are there."""

from __future__ import annotations

import nbformat
import pytest

from labsupport.course.notebooks.parameters import parameter_names, with_parameters
from labsupport.errors import LabsError


def notebook(source: str = "workers = 2\nname: str = 'x'") -> nbformat.NotebookNode:
    cells = [
        nbformat.v4.new_markdown_cell("# Week"),
        nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("workers"),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def test_names_are_those_that_the_tagged_cell_assigns() -> None:
    assert parameter_names(notebook()) == ("workers", "name")
    assert parameter_names(notebook("workers = ")) == (), "the cell fails when it is run, and is named then"


def test_values_go_behind_the_parameters_cell_and_leave_the_notebook_as_it_was() -> None:
    given = notebook()
    prepared = with_parameters(given, {"workers": 5, "name": "it's"})
    assert [cell.source for cell in prepared.cells[1:3]] == [
        "workers = 2\nname: str = 'x'",
        '# Parameters\nworkers = 5\nname = "it\'s"',
    ]
    assert len(given.cells) == 3
    nbformat.validate(prepared)


def test_the_values_of_an_earlier_run_go() -> None:
    again = with_parameters(with_parameters(notebook(), {"workers": 5}), {"name": "y"})
    assert [cell.source for cell in again.cells[2:]] == ["# Parameters\nname = 'y'", "workers"]
    assert len(with_parameters(again, {}).cells) == 3


def test_an_unknown_parameter_is_refused_with_those_that_exist() -> None:
    with pytest.raises(LabsError, match=r"parameter wrokers: .* it has workers, name"):
        with_parameters(notebook(), {"wrokers": 3})
