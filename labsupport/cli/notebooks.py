"""`labs notebooks`: generate both notebooks of a week from its source, or fail when a committed one is stale."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from labsupport.errors import LabsError

app = typer.Typer(no_args_is_help=True, help="Generate the notebooks from their sources, or check them.")

Weeks = Annotated[list[int] | None, typer.Argument(help="numbers of weeks; all by default", metavar="[WEEK]...")]


@app.command()
def build(
    weeks: Weeks = None,
    force: Annotated[bool, typer.Option("--force", help="rebuild and execute fresh ones, too")] = False,
    execute: Annotated[bool, typer.Option(help="execute the solutions; without it only labs are written")] = True,
) -> None:
    """Write the notebooks that are stale; solutions are executed and stored with their outputs."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from labsupport.course.builder import course_root, write_stale

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[cell]}"), transient=True) as bar:
        task = bar.add_task("building", total=None, cell="")

        def on_cell(notebook: Any, now: Any) -> None:
            title = f"{notebook.flavour} {notebook.file.stem}"
            bar.update(task, description=title, total=now.total, completed=now.done, cell=now.first_line[:60])

        root = course_root()
        written = write_stale(root, weeks or (), force=force, execute=execute, on_cell=on_cell)
    for stale in written:
        typer.echo(f"wrote {stale.file.relative_to(root)}: {stale.reason}")
    if not written:
        typer.echo("every notebook is what its source describes")


@app.command()
def check(weeks: Weeks = None) -> None:
    """Fail, naming each notebook and the reason, when a committed one is not what its source describes."""
    from labsupport.course.builder import course_root, problems

    root = course_root()
    found = problems(root, weeks or ())
    for stale in found:
        typer.echo(f"{stale.file.relative_to(root)}: {stale.reason}", err=True)
    if found:
        raise LabsError(f"{len(found)} stale notebooks; `labs notebooks build` writes them anew")
    typer.echo("every notebook is what its source describes")
