"""Run a notebook in a fresh kernel of this interpreter and say what happened, cell by cell.

nbclient runs the cells; the client below adds a time limit per cell, the choice to go on after a cell that raised, the
time of every cell, and a failure that names its cell. Whatever ends the run (its last cell, an error, Ctrl-C, SIGTERM),
the kernel and all it started are gone afterwards.

Limitations: a cell that calls `input()` fails; what cells write outside the kernel's folder stays.
"""

from __future__ import annotations

import copy
import functools
import logging
import math
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from labsupport.course.display.printed import ANSI
from labsupport.course.grading.exercise import PROGRESS
from labsupport.course.grading.learner_error import MESSAGE_CHARS
from labsupport.course.grading.seeds import HIDDEN_SEEDS
from labsupport.course.notebooks.parameters import with_parameters
from labsupport.errors import LabsError
from labsupport.hardware.profile import VARIABLE as PROFILE
from labsupport.processes import supervised
from labsupport.receipts import provenance
from labsupport.workspace import VARIABLE as WORKSPACE

if TYPE_CHECKING:
    import nbformat

CELL_TIMEOUT_S = 600.0  # a lab's longest cell takes minutes on two cores; an endless loop must not take the night
START_TIMEOUT_S = 60  # a kernel starts in 2 s on an idle core
STREAM_CHARS = 50_000  # of what a cell prints, some 600 lines, are kept; a report of megabytes is read by nobody
KERNEL = "python3"
CELL_NUMBER = re.compile(r"\(\d+\.py, line (\d+)\)")  # how IPython ends the message of a syntax error


@dataclass(frozen=True)
class Progress:
    """What `on_cell` is told: how many of `total` cells are done, and the first line of the next.

    It is told before the kernel starts, before each cell, and, unless the run ended early, when all are done.
    """

    done: int
    total: int
    first_line: str


@dataclass(frozen=True)
class CellTime:
    """Wall-clock seconds of one code cell; `position` counts all cells of the notebook from 1."""

    position: int
    id: str
    first_line: str
    wall_s: float


@dataclass(frozen=True)
class CellFailure:
    """The cell that ended a run early, or the first that raised, and what it raised."""

    position: int
    id: str
    first_line: str
    error: str
    message: str

    def __str__(self) -> str:
        return f"cell {self.position} ({self.first_line}): {self.error}: {self.message}".rstrip(": ")


@dataclass(frozen=True)
class Execution:
    """An executed notebook; `wall_s` and `cpu_s` include the kernel's start and end and all processes it waited for.

    `told` is what the expression given to `execute` evaluated to, as the kernel wrote it.
    """

    notebook: nbformat.NotebookNode
    failure: CellFailure | None
    cells: tuple[CellTime, ...]
    wall_s: float
    cpu_s: float
    told: str = ""


def kernel_environment(
    root: Path,
    *,
    profile: str,
    workspace: Path | None = None,
    hidden_seeds: str = "",
    progress: bool = False,
) -> dict[str, str]:
    """Return the environment of a kernel that finds the course's packages in `root` and nothing of an earlier run."""
    environment = dict(os.environ)
    package_parent = str(Path(__file__).resolve().parents[3])  # the kernel runs this labsupport and no other
    folders = [str(root), package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(folders))
    environment[PROFILE] = profile
    environment[HIDDEN_SEEDS] = hidden_seeds
    environment[PROGRESS] = "1" if progress else ""
    environment[provenance.COMMAND_VARIABLE] = provenance.command()
    environment["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # a caller's Agg would store no figure
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the debugger's warning about frozen modules
    if workspace is not None:
        environment[WORKSPACE] = str(workspace)
    return environment


def execute(
    notebook: nbformat.NotebookNode,
    *,
    folder: Path,
    environment: Mapping[str, str],
    parameters: Mapping[str, Any] | None = None,
    cell_timeout_s: float = CELL_TIMEOUT_S,
    on_cell: Callable[[Progress], None] | None = None,
    stop_on_error: bool = True,
    ask_first: str = "",
) -> Execution:
    """Run a copy of `notebook` with `folder` as the kernel's current folder.

    With `stop_on_error` unset the cells after one that raised are run too; a cell over its time limit and a dead kernel
    end the run in any case.

    Args:
        ask_first: an expression that the kernel evaluates before the first cell.

    Raises:
        LabsError: a parameter that the notebook does not have, or a kernel that does not start.
    """
    prepared = with_parameters(_without_outputs(notebook), parameters or {})
    run = _Run(prepared, cell_timeout_s, on_cell, stop_on_error, ask_first)
    run.on_cell(Progress(0, len(notebook.cells), "starting a kernel"))
    cpu_before_s = _children_cpu_s()
    started_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="labs-kernel-") as private,
        open(Path(private, "kernel.log"), "w+b") as log,
        supervised(),
    ):
        # A learner's IPython start-up files belong to their own sessions.
        _client_class()(run).run({**environment, "IPYTHONDIR": private}, str(folder), log)
    _cut_floods(prepared)
    cpu_s = _children_cpu_s() - cpu_before_s
    return Execution(prepared, run.failure, tuple(run.cells), time.monotonic() - started_s, cpu_s, run.told)


def first_line(source: str) -> str:
    """Return the first line of a cell that says something, to name the cell by."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("%")), "empty cell")[:60]


def one_line(message: str) -> str:
    """Return an error's message on one line, shortened, without colours and IPython's names of cells."""
    return CELL_NUMBER.sub(r"(line \1)", " ".join(ANSI.sub("", message).split())[:MESSAGE_CHARS])


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _without_outputs(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy whose outputs can only be those of the run."""
    prepared = copy.deepcopy(notebook)
    for cell in prepared.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return prepared


def _cut_floods(notebook: nbformat.NotebookNode) -> None:
    """Keep the beginning of what each cell printed, and say how much more it was."""
    import nbformat

    for cell in notebook.cells:
        room, lines, chars = STREAM_CHARS, 0, 0
        for output in [output for output in cell.get("outputs", []) if output.output_type == "stream"]:
            output.text, cut = output.text[:room], output.text[room:]
            room -= len(output.text)
            lines, chars = lines + cut.count("\n"), chars + len(cut)
        if chars:
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
            more = f"\n... cut here: {lines:,} more lines, {chars:,} characters\n"
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=more))


class _Run:
    """What is to be run, and what happened, filled in by the client."""

    def __init__(
        self,
        notebook: nbformat.NotebookNode,
        cell_timeout_s: float,
        on_cell: Callable[[Progress], None] | None,
        stop_on_error: bool,
        ask_first: str,
    ) -> None:
        self.notebook = notebook
        self.cell_timeout_s = cell_timeout_s
        self.on_cell = on_cell or (lambda progress: None)
        self.stop_on_error = stop_on_error
        self.ask_first = ask_first
        self.told = ""
        self.cells: list[CellTime] = []
        self.failure: CellFailure | None = None

    def begins(self, position: int, cell: nbformat.NotebookNode) -> None:
        self.on_cell(Progress(position - 1, len(self.notebook.cells), first_line(cell.source)))

    def ended(self, position: int, cell: nbformat.NotebookNode, wall_s: float) -> None:
        if cell.cell_type == "code":
            self.cells.append(CellTime(position, cell.get("id", ""), first_line(cell.source), wall_s))

    def raised(self, position: int, cell: nbformat.NotebookNode, error: str, message: str) -> None:
        self.failure = self.failure or _failure(position, cell, error, message)

    def ended_by(self, position: int, cell: nbformat.NotebookNode, error: str, message: str) -> None:
        # Counts for more than a cell that raised before: no later exercise can have a verdict.
        self.failure = _failure(position, cell, error, message)

    def completed(self) -> None:
        total = len(self.notebook.cells)
        self.on_cell(Progress(total, total, ""))


def _failure(position: int, cell: nbformat.NotebookNode, error: str, message: str) -> CellFailure:
    return CellFailure(position, cell.get("id", ""), first_line(cell.source), error, one_line(message))


@functools.cache
def _client_class() -> type:
    """Return the client class; made on first use, because nbclient takes a second to import."""
    from ipykernel.kernelspec import make_ipkernel_cmd
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from nbclient.util import run_sync

    class Client(NotebookClient):
        def __init__(self, run: _Run) -> None:
            super().__init__(
                run.notebook,
                kernel_name=KERNEL,
                timeout=math.ceil(run.cell_timeout_s),
                startup_timeout=START_TIMEOUT_S,
                record_timing=False,
                log=_silent_log(),
            )
            self.labs_run = run
            self.exit_asked = False
            self.on_cell_executed = self._look_for_exit

        def create_kernel_manager(self) -> Any:
            manager = super().create_kernel_manager()
            # A kernel that another environment registered under this name would run the lab on other packages.
            spec = manager.kernel_spec
            assert spec is not None, "The kernel specification exists: the manager has just found it"
            spec.argv = make_ipkernel_cmd()
            return manager

        def run(self, environment: Mapping[str, str], folder: str, log: IO[bytes]) -> None:
            self.reset_execution_trackers()
            ready = False
            try:
                with self.setup_kernel(env=dict(environment), cwd=folder, stdout=log, stderr=log):
                    ready = True
                    try:
                        self._ask()
                        self._run_cells(log)
                    except BaseException:
                        self.shutdown_kernel = "immediate"  # it is busy or the user is waiting: no polite request
                        raise
                    self.set_widgets_metadata()
            except _RunEndedError:
                pass
            except RuntimeError as error:
                if ready:
                    raise
                said = _last_line(log) or str(error)
                raise LabsError(f"the notebook's kernel does not start ({said}); run `labs doctor`") from error

        def _ask(self) -> None:
            if self.labs_run.ask_first:
                client: Any = self.kc
                reply = run_sync(client.execute_interactive)(
                    "", silent=True, user_expressions={"told": self.labs_run.ask_first}, timeout=START_TIMEOUT_S
                )
                told = reply["content"]["user_expressions"]["told"]
                if told["status"] != "ok":
                    message = f"{told['ename']}: {told['evalue']}"
                    raise LabsError(f"the notebook's kernel cannot be prepared ({message}); run `labs doctor`")
                self.labs_run.told = told["data"]["text/plain"]

        def _look_for_exit(self, execute_reply: Mapping[str, Any], **_: Any) -> None:
            # The kernel of a cell that calls `exit()` answers, and is gone by the next cell.
            payload = execute_reply["content"].get("payload", [])
            self.exit_asked = any(part.get("source") == "ask_exit" and not part.get("keepkernel") for part in payload)

        def _run_cells(self, log: IO[bytes]) -> None:
            for position, cell in enumerate(self.nb.cells, start=1):
                self.labs_run.begins(position, cell)
                started_s = time.monotonic()
                try:
                    self.execute_cell(cell, position - 1)
                except CellExecutionError as error:
                    self.labs_run.raised(position, cell, error.ename, error.evalue)
                    if self.labs_run.stop_on_error:
                        return
                except CellTimeoutError as error:
                    limit_s = self.labs_run.cell_timeout_s
                    self.labs_run.ended_by(position, cell, "Timeout", f"not done after {limit_s:g} s, stopped")
                    raise _RunEndedError from error
                except DeadKernelError as error:
                    message = f"the kernel died while this cell ran; {_last_line(log)}".rstrip("; ")
                    self.labs_run.ended_by(position, cell, "DeadKernel", message)
                    raise _RunEndedError from error
                finally:
                    self.labs_run.ended(position, cell, time.monotonic() - started_s)
                if self.exit_asked:
                    message = "this cell ended the kernel with exit(); the cells after it were not run"
                    self.labs_run.ended_by(position, cell, "SystemExit", message)
                    raise _RunEndedError
            self.labs_run.completed()

    return Client


class _RunEndedError(Exception):
    """No further cell can run; leaves the block that ends the kernel."""


def _last_line(log: IO[bytes]) -> str:
    """Return the last line that the kernel itself wrote, such as a fatal signal's name."""
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "without encryption" not in line), "")


def _silent_log() -> logging.Logger:
    """Return a logger that prints nothing: what went wrong is in the failure."""
    log = logging.getLogger(__name__)
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    return log
