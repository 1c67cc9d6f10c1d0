"""The command `labs`: one verb per thing a learner, a grader or a maintainer does.

A mistake of the person at the keyboard is one line on stderr and exit code 2; a verdict that is not green is 1; an
interruption 130. Anything else is a bug of ours and shows its traceback. Heavy libraries are imported by the verbs,
so that `labs --help` answers at once.
"""

from __future__ import annotations

import signal
import sys

import typer

from labsupport.cli import course, ledger, notebooks, training
from labsupport.errors import LabsError

FIRST_USE = """Lab notebooks for AI infrastructure: run, break, repair, measure, grade.

\b
A first hour:
    labs doctor           what this machine has, and what each absence disables
    labs lab 1            open week 1 in JupyterLab
    labs run 1            execute it from start to end: scoreboard and report
    labs grade 1          again in a fresh kernel, with seeds you have not seen
    labs train --help     the trainer that the labs of weeks 1 to 3 use
"""

INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="labs", help=FIRST_USE, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
course.register(app)
ledger.register(app)
training.register(app)
app.add_typer(notebooks.app, name="notebooks")


def main() -> None:
    """Run the command line and turn a reader's mistake into one line."""
    try:
        app()
    except LabsError as error:
        print(f"labs: {error}", file=sys.stderr)
        sys.exit(2)
    except SystemExit as leaving:
        if leaving.code == INTERRUPTED:
            print("labs: interrupted", file=sys.stderr)
        raise
    except BrokenPipeError:
        sys.exit(0)  # `labs ... | head` closed the pipe: not an error
