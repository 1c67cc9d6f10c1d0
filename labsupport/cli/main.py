"""The command `labs`: one verb per thing a learner, a grader or a maintainer does.

A mistake of the person at the keyboard is one line on stderr and exit code 2; a verdict that is not green is 1; an
interruption 130; a reader of the output that left early, as in `labs receipts | head -1`, a silent 141. A full disk is
one line and 2. Anything else is a bug of ours and shows its traceback. Heavy libraries are imported by the verbs, so
that `labs --help` answers at once.
"""

from __future__ import annotations

import errno
import io
import os
import select
import signal
import sys
from typing import Any

import typer

from labsupport import workspace
from labsupport.cli import course, ledger, notebooks, training
from labsupport.cli.spec_options import flag
from labsupport.errors import FieldError, LabsError

FIRST_USE = """Lab notebooks for AI infrastructure: run, break, repair, measure, grade.

\b
A first hour:
    labs doctor           what this machine has, and what won't work without the rest
    labs lab 1            open week 1 in JupyterLab
    labs run 1            run it from start to end: scoreboard and report
    labs grade 1          grade it in a fresh kernel, on hidden seeds
    labs train --help     the trainer that the labs of weeks 1 to 3 use
"""

REFUSED = 2
INTERRUPTED = 128 + signal.SIGINT
# What a shell reports of `cat` or `grep` in the same place, so that `set -o pipefail` treats `labs` as it does them.
PIPE_CLOSED = 128 + signal.SIGPIPE
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
HELP_COLUMNS = 120  # of a wider terminal; lines of prose get hard to read beyond

UsageError: type[Any] = typer.BadParameter.__mro__[1]  # click's, which typer has under a private name

app = typer.Typer(
    name="labs", help=FIRST_USE, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    rich_markup_mode=None, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": HELP_COLUMNS},
)  # fmt: skip
course.register(app)
ledger.register(app)
training.register(app)
app.add_typer(notebooks.app, name="notebooks")


def main() -> None:
    """Run the command line and turn a reader's mistake into one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ± shows a question mark, and no traceback
    try:
        code = _exit_code(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()  # the interpreter's own last flush could only complain
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _stdout_has_no_reader():
            code = PIPE_CLOSED
        elif error.errno in DISK_FULL:
            code = _refused(f"labs: {error.filename or 'the output'}: {error.strerror}")
        else:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still buffered
    sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    # Not `app()`: it would turn every broken pipe, also that of a socket, into a silent exit with 1.
    command = typer.main.get_command(app)
    workspace.settle()
    try:
        with command.make_context("labs", arguments) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    except FieldError as error:
        return _refused(f"labs: {error.spelled(flag)}")
    except LabsError as error:
        return _refused(f"labs: {error}")
    except UsageError as error:
        return _refused_usage(error, command, arguments)
    except typer.Abort as ended:  # of a question: Ctrl-C, or no terminal to answer from
        if isinstance(ended.__context__, EOFError):
            return _refused("labs: the input ended before the question was answered")
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):
            return PIPE_CLOSED  # rich ends the program so when it cannot print
        raise
    return 0


def _refused(line: str) -> int:
    print(" ".join(line.split()), file=sys.stderr)
    return REFUSED


def _interrupted() -> int:
    print("labs: interrupted", file=sys.stderr)
    return INTERRUPTED


def _refused_usage(error: Any, command: Any, arguments: list[str]) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # a bare `labs`: the message is its help
        typer.echo(error.format_message(), err=True)
        return REFUSED
    path = error.ctx.command_path if error.ctx else _path(command, arguments)
    return _refused(f"{path}: {_what_was_wrong(error).rstrip('.')}; see {path} --help")


def _path(command: Any, arguments: list[str]) -> str:
    """Return the verb that was typed; the parser does not say where it found an option without its value."""
    words = ["labs"]
    for word in arguments:
        command = getattr(command, "commands", {}).get(word)
        if command is None:
            break
        words.append(word)
    return " ".join(words)


def _what_was_wrong(error: Any) -> str:
    """Return click's sentence; where a value has the wrong type it leaves out which value, so name it."""
    if hasattr(error.__cause__, "errors"):  # pydantic's, by which typer checks types
        name, value = error.param.get_error_hint().strip("'"), error.__cause__.errors()[0]["input"]
        return f"{name} {value!r}: {_lower(error.message)}"
    return _lower(error.format_message())


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _stdout_has_no_reader() -> bool:
    """Say whether stdout is the pipe that broke, and not some socket."""
    watched = select.poll()
    watched.register(1, 0)  # POLLERR is always reported: of a pipe, that nobody holds its other end
    return any(event & select.POLLERR for _, event in watched.poll(0))


if __name__ == "__main__":
    main()
