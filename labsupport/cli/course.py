"""The verbs of a learner's week: doctor, quiz, path, lab, run, grade, progress."""

from __future__ import annotations

import json
import os
import sys
import uuid
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labsupport.course.notebooks.execution import Progress
    from labsupport.course.runs.grade import Grade
    from labsupport.course.runs.runner import RunResult

Week = Annotated[int, typer.Argument(help="number of the week, 0 to 14", metavar="WEEK")]
Profile = Annotated[
    str | None,
    typer.Option(help="how large the lab's runs are: smoke (seconds), cpu or gpu; by default what fits this machine"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a script, without progress")]


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    for verb in (doctor, lab, run, grade, progress, quiz, path):
        app.command()(verb)


def doctor(as_json: Json = False) -> None:
    """Show what this machine has, and what won't work without the rest."""
    from labsupport.course import doctor as examination

    findings = examination.examine()
    if as_json:
        typer.echo(examination.as_json(findings))
    else:
        from rich.console import Console

        Console().print(examination.render(findings))
    raise typer.Exit(examination.exit_code(findings))


def lab(
    week: Annotated[int | None, typer.Argument(help="the week to open; the folder of labs by default")] = None,
    browser: Annotated[bool, typer.Option(help="open a browser; --no-browser prints the address")] = True,
) -> None:
    """Open JupyterLab on your own copies of the labs."""
    from labsupport.course import jupyter
    from labsupport.course.learner import learner_folder, learner_notebook

    folder = learner_folder()
    target = f"/lab/tree/{learner_notebook(week).name}" if week is not None else "/lab"
    arguments = [f"--ServerApp.root_dir={folder}", f"--LabApp.default_url={target}", "--ServerApp.ip=127.0.0.1"]
    if not browser or os.geteuid() == 0:
        arguments.append("--no-browser")
    if os.geteuid() == 0:
        arguments.append("--allow-root")  # containers run as root; the server listens on loopback, with a token
    os.environ["LABS_PROGRESS"] = "1"  # verdicts in a learner's own session count
    # Announcements off: no question on the first screen, and no request to anywhere.
    paths = [str(Path(jupyter.__path__[0])), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(paths)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments])  # noqa: S606 - Jupyter takes this process over


def run(
    week: Week,
    solution: Annotated[bool, typer.Option("--solution", help="run the solved notebook instead of yours")] = False,
    profile: Profile = None,
    notebook: Annotated[Path | None, typer.Option(help="run this notebook instead of your copy")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="set a parameter of the notebook, such as seed=3")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the executed notebook and the report")] = None,
    as_json: Json = False,
) -> None:
    """Run a week's notebook: scoreboard, success criteria, HTML report.

    Exits with 1 if a cell raised or an exercise failed; exercises that were not attempted do not count as failed.
    """
    from labsupport.cli.setting_values import read_settings
    from labsupport.course.grading.verdict import Status
    from labsupport.course.learner import existing_learner_notebook
    from labsupport.course.notebooks.builder import course_root
    from labsupport.course.runs.report import write_report
    from labsupport.course.runs.runner import run_week
    from labsupport.workspace import workspace

    parameters = read_settings(settings or [])
    chosen = notebook or (None if solution else existing_learner_notebook(week))
    folder = out or workspace("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-week{week:02d}-{uuid.uuid4().hex[:4]}"
    with _cells(f"week {week}", quiet=as_json) as on_cell:
        result = run_week(
            week, root=course_root(), out=folder, flavour="solution" if solution else "lab", notebook=chosen,
            parameters=parameters, profile=profile, on_cell=on_cell,
        )  # fmt: skip
    report = write_report(result, folder / f"week{week:02d}.html")
    if as_json:
        typer.echo(json.dumps(result.record | {"report": str(report)}, allow_nan=False))
    else:
        _show_run(result, report)
    failed = result.failure is not None or any(check.status is Status.FAILED for check in result.verdicts)
    raise typer.Exit(1 if failed else 0)


def grade(
    week: Week,
    hidden_seeds: Annotated[int, typer.Option(help="number of hidden seeds")] = 20,
    seed_root: Annotated[int | None, typer.Option(help="repeat a grade: the seed root that it shows")] = None,
    notebook: Annotated[Path | None, typer.Option(help="the notebook handed in; by default your copy")] = None,
    profile: Profile = None,
    out: Annotated[Path | None, typer.Option(help="where the JSON grade goes")] = None,
    as_json: Json = False,
) -> None:
    """Grade a notebook in a fresh kernel, on hidden seeds.

    The workspace is empty, and changed check cells are replaced by the original ones.

    Exits with 1 unless every exercise passed.
    """
    from labsupport.course.learner import existing_learner_notebook
    from labsupport.course.runs.grade import grade_week, write_grade
    from labsupport.workspace import workspace

    handed_in = notebook or existing_learner_notebook(week)
    with _cells(f"grading week {week}", quiet=as_json) as on_cell:
        graded = grade_week(
            week, handed_in, hidden_seeds=hidden_seeds, seed_root=seed_root, profile=profile, on_cell=on_cell
        )
    target = out or workspace("grades") / f"{datetime.now():%Y%m%d-%H%M%S}-week{week:02d}.json"
    write_grade(graded, target)
    if as_json:
        typer.echo(json.dumps(graded.record, allow_nan=False))
    else:
        _show_grade(graded, target)
    raise typer.Exit(0 if graded.passed else 1)


def progress(
    add_hours: Annotated[
        tuple[int, float] | None,
        typer.Option(metavar="WEEK HOURS", help="add hours that you spent on a week, such as 1 2.5"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the exercises you have passed, beside the hours you have entered.

    An exercise counts once its check passes; hours are what you add with --add-hours, as often as you like.
    """
    from labsupport.course.grading import progress as records

    if add_hours is not None:
        records.add_hours(*add_hours)
    summary = records.summary()
    if as_json:
        typer.echo(json.dumps(summary.record, allow_nan=False))
        return
    from rich.console import Console

    Console().print(summary.rich_table())


def quiz() -> None:
    """Rate yourself on 19 items, and see where to start."""
    from labsupport.introduction import quiz as assessment

    answers: dict[str, int] = {}
    for group in assessment.GROUPS:
        typer.echo(f"\n{group.title}: 1 novice ... 5 expert")
        for item in group.items:
            answers[item.id] = _ask_rating(item.text)
    typer.echo(f"\n{assessment.place(answers)!r}")


def _ask_rating(text: str) -> int:
    while True:
        answer: str = typer.prompt(f"  {text}")
        if answer.strip() in ("1", "2", "3", "4", "5"):
            return int(answer)
        typer.echo(f"  {answer!r} is not a rating: write 1, 2, 3, 4 or 5")


def path(
    number: Annotated[int, typer.Argument(help="1 complete, 2 training, 3 serving, 4 platform", metavar="PATH")],
    hours_per_week: Annotated[float, typer.Option(help="hours you can give each week")] = 20.0,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="first day; today by default")] = None,
) -> None:
    """Lay a learning path over your calendar."""
    from labsupport.course.schedule import schedule

    first_day = start.date() if start else date.today()
    typer.echo(repr(schedule(number, hours_per_week, first_day)))


@contextmanager
def _cells(title: str, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Show how many cells are done, unless a script reads the output."""
    if quiet:
        yield None
        return
    from labsupport.cli.cell_bar import cell_bar

    with cell_bar(title) as move:
        yield move


def _show_run(result: RunResult, report: Path) -> None:
    from rich.console import Console
    from rich.markup import escape

    from labsupport.course.grading.scoreboard import render_failed, render_record

    console = Console()
    for check in result.verdicts:
        if check.failed_codes:
            console.print(render_failed(check.summary, check.outcomes))
        elif not result.scoreboard:
            console.print(check.summary, markup=False, highlight=False)
    if result.scoreboard:
        console.print(render_record(result.scoreboard))
    if result.failure:
        console.print(f"[bold red]stopped[/]: {escape(str(result.failure))}", highlight=False)
    console.print(
        f"{len(result.cells)} cells in {result.wall_s:.0f} s ({result.cpu_s:.0f} CPU-s), sizes: {result.profile}"
    )
    console.print(f"report: {report}", soft_wrap=True)


def _show_grade(graded: Grade, target: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    from rich.text import Text

    from labsupport.course.grading.scoreboard import render_failed, status_text
    from labsupport.course.grading.verdict import Status

    console = Console(highlight=False)
    root = f" from root {graded.seed_root}" if graded.hidden_seeds else ""
    table = Table(show_header=False)
    for exercise in graded.exercises:
        what = f"exercise {exercise.name}\n{exercise.note}".rstrip()
        table.add_row(status_text(exercise.status), Text(what))
    console.print(Text(f"Week {graded.week}, {graded.hidden_seeds} unseen seeds{root}", "bold"))
    console.print(table)
    for exercise in graded.exercises:
        if exercise.status == Status.FAILED:
            console.print(render_failed(f"Exercise {exercise.name}", exercise.outcomes))
    for cell in graded.tampered:
        console.print(f"check of exercise {cell.exercise}: {cell.what}; the original was used")
    if graded.failure:
        console.print(f"[bold red]error[/]: {escape(str(graded.failure))}")
    console.print(f"{'passed' if graded.passed else 'not passed'}; grade: {target}", soft_wrap=True)
