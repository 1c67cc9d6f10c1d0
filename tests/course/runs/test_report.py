"""The report is one self-contained page on which nothing of a learner's text becomes markup and no script can run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

from labsupport.course.grading.verdict import Check, Outcome, Status
from labsupport.course.notebooks.execution import CellFailure, CellTime
from labsupport.course.notebooks.notebook_file import write_notebook
from labsupport.course.runs.report import INTERACTIVE, report_html, write_report
from labsupport.course.runs.runner import RunResult
from labsupport.errors import LabsError

EVIL = '<script>alert("x")</script>'


class Tags(HTMLParser):
    """Collects every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def result(tmp_path: Path) -> RunResult:
    """Return a run whose every text is hostile, and whose notebook holds every kind of output."""
    cell = nbformat.v4.new_code_cell(f"x = 1  # {EVIL}", id="abc", execution_count=1)
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=f"\x1b[31m{EVIL}\x1b[0m"),
        nbformat.v4.new_output("stream", name="stdout", text=f"wrote {Path.home()}/data\n"),
        nbformat.v4.new_output("display_data", data={"application/vnd.plotly.v1+json": {"data": []}}),
        nbformat.v4.new_output("display_data", data={"image/png": "aGVsbG8=", "text/plain": "figure"}),
        nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[EVIL]),
    ]
    write_notebook(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "week01.ipynb")
    outcome = Outcome("doubles", EVIL, False, f"{EVIL}\nline 2: {EVIL}")
    return RunResult(
        week=1,
        flavour="lab",
        profile="smoke",
        notebook=tmp_path / "week01.ipynb",
        verdicts=(Check("1.1", Status.FAILED, (outcome,)), Check("1.2", Status.NOT_ATTEMPTED)),
        scoreboard={"criteria": [{"text": EVIL, "status": "provisional", "sentence": EVIL}]},
        cells=(CellTime(1, "abc", EVIL, 1.234),),
        wall_s=3.21,
        cpu_s=2.5,
        failure=CellFailure(1, "abc", EVIL, "ValueError", EVIL),
    )


def test_nothing_of_the_learners_text_becomes_markup(result: RunResult) -> None:
    assert "script" not in {tag for tag, _ in Tags(report_html(result)).found}


def test_the_page_forbids_scripts_and_loads_nothing(result: RunResult) -> None:
    tags = Tags(report_html(result)).found
    (policy,) = [attributes["content"] for tag, attributes in tags if attributes.get("http-equiv")]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    links = [value for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert links
    assert all(link is not None and link.startswith(("#", "data:")) for link in links)


def test_the_page_shows_verdicts_criteria_failure_and_times(result: RunResult) -> None:
    page = re.sub(r"\s+", " ", report_html(result))
    assert "0 of 2 exercises passed in the lab notebook, profile smoke" in page
    assert "Exercise 1.1: failed (0 of 1 criteria hold)" in page
    assert "Exercise 1.2: not attempted" in page
    assert "provisional" in page
    assert 'The run stopped at <a href="#cell-id=abc">cell 1</a>' in page
    assert 'id="cell-id=abc"' in page
    assert "1.23 s" in page


def test_interactive_outputs_are_named_and_images_are_embedded(result: RunResult) -> None:
    page = report_html(result)
    assert INTERACTIVE in page
    assert "data:image/png;base64,aGVsbG8=" in page


def test_the_readers_of_a_report_do_not_learn_the_home_folder(result: RunResult) -> None:
    assert "wrote ~/data" in report_html(result)


def test_a_run_without_verdicts_or_scoreboard_says_so(result: RunResult) -> None:
    page = report_html(replace(result, verdicts=(), scoreboard=None, failure=None))
    assert "The run showed no verdict." in page
    assert "Success criteria" not in page


def test_a_report_is_written_whole(result: RunResult, tmp_path: Path) -> None:
    path = write_report(result, tmp_path / "new" / "week01.html")
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert [file.name for file in path.parent.iterdir()] == ["week01.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(LabsError, match=r"file/week01.html: cannot be written"):
        write_report(result, tmp_path / "file" / "week01.html")


@pytest.mark.slow
def test_a_real_run_makes_a_report(solved_run: RunResult) -> None:
    page = report_html(solved_run)
    assert "2 of 2 exercises passed in the solution notebook" in re.sub(r"\s+", " ", page)
    assert "workers 5" in page
