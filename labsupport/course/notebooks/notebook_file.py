"""Read and write notebook files, and the verdicts that an executed notebook holds."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labsupport.course.grading.verdict import MIME, Check
from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook file.

    Raises:
        LabsError: it is missing, unreadable or not a valid notebook.
    """
    import nbformat

    try:
        with warnings.catch_warnings():
            # Some editors drop the cell ids; nbformat says so in a warning and makes new ones.
            warnings.simplefilter("ignore")
            notebook = nbformat.read(path, as_version=4)
            nbformat.validate(notebook)
    except FileNotFoundError as error:
        raise LabsError(f"{path}: no such notebook; look at its name and folder") from error
    except (OSError, ValueError, AttributeError, KeyError, nbformat.ValidationError) as error:
        reason = " ".join(str(error).split())[:120]
        raise LabsError(f"{path}: not a readable notebook ({reason}); restore it or open a fresh copy") from error
    return notebook


def write_notebook(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook whole or not at all."""
    import nbformat

    nbformat.validate(notebook)
    write_whole(path, nbformat.writes(notebook) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write a file to a temporary name, then rename: an interrupted write leaves the old file as it was.

    Raises:
        LabsError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise LabsError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder you may write"
        ) from error


def verdicts(notebook: nbformat.NotebookNode) -> Iterator[tuple[str, Check]]:
    """Yield cell id and verdict of each check that was displayed, in the order of the cells."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if MIME in output.get("data", {}):
                yield cell.id, Check.from_record(output.data[MIME])
