"""Run every rank of a learner's program in a process of its own, so that a message is all that one can tell another.

Ranks that are generators in one process can share a global, a closure or a default argument and send nothing at all:
the sum is right and the lesson is lost. Here each rank is a fork of the kernel, made before the inputs exist, without
the parent's open files. Its process gets its own input and what its neighbour sent, and nothing else: arrays of numbers
with one dimension, in the type of its input. A message with no elements thus says nothing, not even in its shape.

One set of processes serves all rings of a check, one ring after the other.

Limitations: ranks that know the seeds can compute each other's inputs (`labs grade` hides them), and memory that the
kernel shared before the check, such as an anonymous `mmap`, stays shared; an answer that holds one is refused
(`guard.answer_code`).
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from labsupport.course.grading.containment import FirstLines
from labsupport.course.grading.learner_error import STUB, describe, is_stub, learner_line
from labsupport.processes import die_with_parent

if TYPE_CHECKING:
    import numpy as np

Rank = Generator["np.ndarray", "np.ndarray", "np.ndarray"]
Program = Callable[[int, int, "np.ndarray"], Rank]

NUMBERS = "biufc"  # the kinds of numpy's types that are numbers, and hold no objects
HEADER_BYTES = 4


class RankError(Exception):
    """A rank raised, returned no array, or ended its process; `line` is the learner's line, as far as it is known."""

    def __init__(self, message: str, line: str = "") -> None:
        super().__init__(message)
        self.learner_line = line


@contextmanager
def rank_processes(program: Program, world_size: int) -> Iterator[Program]:
    """Yield a stand-in for `program` whose ranks, up to `world_size` of them, run in processes of their own.

    What a rank writes into its input is written back when it has finished, so that a check can see it. What it prints
    is printed here.
    """
    children: list[tuple[int, Connection]] = []
    try:
        for _ in range(world_size):
            children.append(_fork(program))
        yield _stand_in([connection for _, connection in children])
    finally:
        for pid, _ in children:
            os.kill(pid, signal.SIGKILL)
        for pid, connection in children:
            connection.close()
            os.waitpid(pid, 0)


def _stand_in(connections: Sequence[Connection]) -> Program:
    def program(rank: int, world_size: int, values: np.ndarray) -> Rank:
        name, connection = f"rank {rank} of {world_size}", connections[rank]
        said, arrays = _asked(connection, name, {"begin": [rank, world_size]}, values)
        while said["kind"] == "sent":
            received = yield arrays[0]
            # The type of an array would be a message, too.
            said, arrays = _asked(connection, name, {}, *([] if received is None else [received.astype(values.dtype)]))
        sys.stdout.write(said["printed"])
        if said["kind"] == "stub":
            raise NotImplementedError(f"{STUB}: {said['error']}")
        if said["kind"] == "raised":
            raise RankError(f"{name}: {said['error']}", said["line"])
        output, values[...] = arrays
        return output

    return program


def _asked(
    connection: Connection, name: str, header: dict[str, Any], *arrays: np.ndarray
) -> tuple[dict[str, Any], list[np.ndarray]]:
    try:
        _send(connection, header, *arrays)
        return _receive(connection)
    except (EOFError, OSError) as error:
        raise RankError(f"{name} ended its process") from error


# -- the rank's process ------------------------------------------------------------------------------------------------


def _fork(program: Program) -> tuple[int, Connection]:
    mine, its = Pipe()
    tie_to_parent = die_with_parent()
    with warnings.catch_warnings():
        # Python 3.12 warns that another thread may hold a lock. The child uses nothing of the kernel's but the answer.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        its.close()
        return pid, mine
    try:
        if tie_to_parent:
            tie_to_parent()
        _leave_the_parents_files(its.fileno())
        for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        with contextlib.suppress(EOFError, OSError):
            _serve(its, program)
    finally:
        os._exit(0)


def _leave_the_parents_files(kept: int) -> None:
    """Close every open file but one; what a rank prints to the terminal goes nowhere."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _serve(connection: Connection, program: Program) -> None:
    """Run one ring after the other, until the connection closes."""
    said, arrays = _receive(connection)
    while True:
        values, printed = arrays[0], FirstLines()
        number, world_size = said["begin"]
        rank = _rank(program, number, world_size, values)
        arrays = []
        while True:
            header, answered = _advance(rank, arrays[0] if arrays else None, program, printed)
            _send(connection, header, *answered, *([values] if header["kind"] == "finished" else []))
            said, arrays = _receive(connection)
            if "begin" in said:
                break


def _advance(
    rank: Rank, received: Any, program: Program, printed: FirstLines
) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Take one step of the learner's code; return what happened, and the array that was sent or returned."""
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            return {"kind": "sent"}, [rank.send(received)]
        except StopIteration as stop:
            return {"kind": "finished", "printed": printed.text}, [stop.value]
        except BaseException as error:  # it is reported there, be it SystemExit
            kind = "stub" if is_stub(error, program) else "raised"
            line = learner_line(error, program)
            return {"kind": kind, "error": describe(error), "line": line, "printed": printed.text}, []


def _rank(program: Program, number: int, world_size: int, values: np.ndarray) -> Rank:
    """Run the learner's rank; it may send and return nothing but arrays that can be sent."""
    generator = program(number, world_size, values)
    if not hasattr(generator, "send"):
        raise TypeError(f"the function returned {type(generator).__name__}; write it as a generator, with `yield`")
    received: Any = None
    while True:
        try:
            message = generator.send(received)
        except StopIteration as stop:
            return _plain(stop.value, "returned")
        received = yield _plain(message, "sent")


def _plain(array: Any, what: str) -> np.ndarray:
    """Return an array without anything that could carry more than its numbers."""
    import numpy as np

    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in NUMBERS:
        kind = f"an array of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{what} {kind}, not an array of numbers with one dimension")
    return np.array(array, dtype=array.dtype.str)


# -- messages: a header in JSON and arrays, none of them pickled -------------------------------------------------------


def _send(connection: Connection, header: dict[str, Any], *arrays: np.ndarray) -> None:
    import numpy as np

    text = json.dumps(header | {"arrays": len(arrays)}).encode()
    content = io.BytesIO()
    content.write(len(text).to_bytes(HEADER_BYTES) + text)
    for array in arrays:
        np.save(content, array, allow_pickle=False)
    connection.send_bytes(content.getvalue())


def _receive(connection: Connection) -> tuple[dict[str, Any], list[np.ndarray]]:
    import numpy as np

    content = io.BytesIO(connection.recv_bytes())
    header = json.loads(content.read(int.from_bytes(content.read(HEADER_BYTES))))
    return header, [np.load(content, allow_pickle=False) for _ in range(header["arrays"])]
