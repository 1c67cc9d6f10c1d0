"""Write one run as a single HTML file: verdicts, criteria, time per cell, then the executed notebook.

The page needs no network and runs no script: a content security policy forbids both, whatever an output holds. It is
made to be sent to a colleague or kept with a portfolio, so it follows the reader's light or dark theme and prints.
nbconvert's `basic` template is used, because its `lab` and `classic` pages load scripts from elsewhere.

What is not covered: formulas, which stay as written (a typesetter would be a script); interactive figures, of which the
static image is shown where the notebook has one; standard error, which the executed notebook keeps.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

from labsupport.course.display.word_table import code_as_html
from labsupport.course.notebooks.notebook_file import read_notebook, write_whole
from labsupport.course.notebooks.scrub import scrub
from labsupport.course.runs.runner import RunResult
from labsupport.workspace import home

if TYPE_CHECKING:
    import nbformat

TEMPLATE = "report.html"
SHOWN_TYPES = (
    "text/html",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
    "text/markdown",
    "text/latex",
    "text/plain",
)
INTERACTIVE = "(an interactive output: open the notebook to see it)"


def write_report(result: RunResult, path: Path) -> Path:
    """Write the report of a run and return its path.

    Raises:
        LabsError: the executed notebook is gone, or the file cannot be written.
    """
    write_whole(path, report_html(result))
    return path


def report_html(result: RunResult) -> str:
    """Return the page of a run."""
    import jinja2
    import markupsafe
    from pygments.formatters import HtmlFormatter

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["code"] = lambda text: markupsafe.Markup(code_as_html(text))  # noqa: S704 - it escapes the text
    return environment.get_template(TEMPLATE).render(
        result=result,
        criteria=(result.scoreboard or {}).get("criteria", []),
        notebook=notebook_html(read_notebook(result.notebook)),
        light=HtmlFormatter(style="default").get_style_defs(".highlight"),
        dark=HtmlFormatter(style="github-dark").get_style_defs(".highlight"),
    )


def notebook_html(notebook: nbformat.NotebookNode) -> str:
    """Return the cells of a notebook as HTML without page, styles or scripts."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    body, _ = exporter.from_notebook_node(_static(notebook))
    return str(body)


def _static(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy whose outputs hold only what a page without scripts can show, and no home folder."""
    shown = copy.deepcopy(notebook)
    shown.metadata.pop("widgets", None)
    scrub(shown, {str(folder): "~"} if (folder := home()) else {})
    for cell in shown.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                kept = {mime: output.data[mime] for mime in SHOWN_TYPES if mime in output.data}
                output.data = type(output.data)(kept or {"text/plain": INTERACTIVE})
    return shown
