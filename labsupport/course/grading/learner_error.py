"""Say what went wrong inside a learner's code: type, message and the learner's own line, not our traceback.

An answer is called by a criterion, often through a simulator, so most frames of its traceback are ours. The useful one
is the innermost that the learner wrote: in a notebook cell, or in the file that the answer was defined in.

Limitations: of an error raised in another process or thread only the message arrives, unless it carries its line, as
`rank_processes.RankError` does.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import traceback
import types
from collections.abc import Iterator

from labsupport.course.display.printed import ADDRESS

STUB = "exercise "  # how the message of every generated stub begins
MESSAGE_CHARS = 300  # one glance; a KeyError on a large structure prints all of it
CELL_FILE = re.compile(r"ipykernel_\d+|^<ipython-input-")  # how ipykernel and IPython name the source of a cell


def describe(error: BaseException) -> str:
    """Return `type: message` on one line, shortened, without memory addresses."""
    try:
        message = " ".join(str(error).split())
    except BaseException as broken:  # the learner's own exception class may raise in __str__, anything at all
        message = f"(its message could not be made: {type(broken).__name__})"
    message = ADDRESS.sub("0x...", message)
    if len(message) > MESSAGE_CHARS:
        message = message[:MESSAGE_CHARS].rstrip() + " ..."
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def learner_line(error: BaseException, answer: object) -> str:
    """Return `line 3: return vlaue * 2`, the innermost line of the learner's code in the traceback, or ""."""
    if line := getattr(error, "learner_line", ""):
        return str(line)  # raised in another process, which looked it up
    files = set(_files(answer))
    for frame, line_number in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        if file in files or CELL_FILE.search(file):
            return f"line {line_number}: {linecache.getline(file, line_number).strip()}".rstrip(": ")
    return ""


def is_stub(error: BaseException, answer: object) -> bool:
    """Say whether an unfilled stub raised this, directly or under an error that a simulator wrapped around it.

    A NotImplementedError from inside a library is not a stub: torch raises it for an operator that a device lacks.
    """
    if isinstance(error, NotImplementedError):
        frames = list(traceback.walk_tb(error.__traceback__))
        innermost = frames[-1][0].f_code.co_filename if frames else ""
        if innermost in set(_files(answer)) or CELL_FILE.search(innermost):
            return True
    return any(isinstance(link, NotImplementedError) and str(link).startswith(STUB) for link in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, then what caused it, and so on; a chain may be a loop."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _files(answer: object, depth: int = 2) -> Iterator[str]:
    """Yield the source files of a function, of a class, of an object's class, or of the parts of a collection."""
    if isinstance(answer, functools.partial):
        yield from _files(answer.func, depth)
    elif isinstance(answer, types.MethodType):
        yield from _files(answer.__func__, depth)
    elif isinstance(answer, types.FunctionType):
        yield inspect.unwrap(answer).__code__.co_filename
    elif isinstance(answer, (tuple, list, set, frozenset, dict)):
        if depth:
            for part in answer.values() if isinstance(answer, dict) else answer:
                yield from _files(part, depth - 1)
    else:
        for part in vars(answer if isinstance(answer, type) else type(answer)).values():
            if isinstance(part, types.FunctionType):
                yield part.__code__.co_filename
