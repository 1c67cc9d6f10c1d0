"""`labs notebooks`: generate both notebooks of a week from its source, or fail when a committed one is stale."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Generate the notebooks from their sources, or check them.")

Weeks = Annotated[list[int] | None, typer.Argument(help="numbers of weeks; all by default", metavar="WEEK")]


@app.command()
def build(
    weeks: Weeks = None,
    force: Annotated[bool, typer.Option("--force", help="rebuild and execute up-to-date notebooks as well")] = False,
    execute: Annotated[bool, typer.Option(help="execute the solutions; without it only labs are written")] = True,
) -> None:
    """Write the notebooks that are stale.

    Solutions are executed and stored with their outputs.
    """
    from labsupport.cli.cell_bar import cell_bar
    from labsupport.course.notebooks.builder import course_root, write_stale

    root = course_root()
    with cell_bar("building", transient=True) as move:
        written = write_stale(
            root, weeks or (), force=force, execute=execute,
            on_cell=lambda notebook, now: move(now, f"{notebook.flavour} {notebook.file.stem}"),
        )  # fmt: skip
    for stale in written:
        typer.echo(f"wrote {stale.file.relative_to(root)}: {stale.reason}")
    if not written:
        typer.echo("every notebook matches its source")


@app.command()
def check(weeks: Weeks = None) -> None:
    """Name each stale notebook and the reason, and fail.

    A committed notebook is stale when it does not match its source.
    """
    from labsupport.course.notebooks.builder import course_root, problems

    root = course_root()
    found = problems(root, weeks or ())
    for stale in found:
        typer.echo(f"{stale.file.relative_to(root)}: {stale.reason}", err=True)
    if found:
        typer.echo("run `labs notebooks build` to rewrite them", err=True)
        raise typer.Exit(1)
    typer.echo("every notebook matches its source")
