"""The parameters of a notebook: what its cell tagged `parameters` assigns, and a copy with other values.

The values go into a cell of their own behind that one, as papermill does it, so that a learner who runs a lab with
papermill sees the same.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labsupport.errors import LabsError

if TYPE_CHECKING:
    import nbformat

TAG = "parameters"
INJECTED = "injected-parameters"


def parameter_names(notebook: nbformat.NotebookNode) -> tuple[str, ...]:
    """Return the names that the cell tagged `parameters` assigns."""
    names: list[str] = []
    for cell in notebook.cells:
        if cell.cell_type == "code" and TAG in cell.metadata.get("tags", []):
            try:
                statements = ast.parse(cell.source).body
            except SyntaxError:
                continue  # the cell fails when it is run, which is reported with its name
            for statement in statements:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
                )
                names += [target.id for target in targets if isinstance(target, ast.Name)]
    return tuple(names)


def assert_known(notebook: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> None:
    """Check that the notebook has these parameters.

    Raises:
        LabsError: it does not have one of them.
    """
    known = parameter_names(notebook)
    for name in parameters:
        if name not in known:
            raise LabsError(
                f"parameter {name}: this notebook has no such parameter; it has {', '.join(known) or 'none'}"
            )


def with_parameters(notebook: nbformat.NotebookNode, parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    """Return a copy with a cell that assigns `parameters`; without any, one without such a cell of an earlier run.

    Raises:
        LabsError: a parameter that the notebook does not have.
    """
    import nbformat

    assert_known(notebook, parameters)
    prepared = copy.deepcopy(notebook)
    prepared.cells = [cell for cell in prepared.cells if INJECTED not in cell.metadata.get("tags", [])]
    if parameters:
        lines = ["# Parameters", *(f"{name} = {value!r}" for name, value in parameters.items())]
        cell = nbformat.v4.new_code_cell("\n".join(lines), id="injected", metadata={"tags": [INJECTED]})
        place = next(n for n, cell in enumerate(prepared.cells, start=1) if TAG in cell.metadata.get("tags", []))
        prepared.cells.insert(place, cell)
    return prepared
