"""A criterion that a written week shows can be met: something records each of its metrics."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from labsupport.course import catalog

ROOT = Path(__file__).parents[2]
WRITTEN_WEEKS = sorted(int(file.stem.removeprefix("week")) for file in (ROOT / "solutions").glob("week*.py"))
NEEDED = sorted(
    {
        (week, metric.constant)
        for week in WRITTEN_WEEKS
        for criterion in catalog.CRITERIA
        if week in criterion.weeks
        for requirement in criterion.requirements
        for metric in requirement.metrics
    }
)


def calls(tree: ast.AST, functions: set[str]) -> list[str]:
    """Return what is passed first to calls of these functions, as it is written."""
    return [
        ast.unparse(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in functions and node.args
    ]


def recorded_in(file: Path) -> set[str]:
    """Return the metrics that a file passes to `record`, `derive`, or a function of its own that passes them on."""
    tree = ast.parse(file.read_text())
    functions = {"record", "derive"}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg in calls(node, functions):
            functions.add(node.name)
    modules = {
        alias.asname or alias.name: node.module.removeprefix("labsupport.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.name == "metrics"
    }
    paths = [written.rpartition(".") for written in calls(tree, functions)]
    return {f"labsupport.{modules[name]}.metrics.{constant}" for name, _, constant in paths if name in modules}


def recorded() -> set[str]:
    files = [*(ROOT / "labsupport").rglob("*.py"), *(ROOT / "solutions").glob("*.py")]
    return {constant for file in files for constant in recorded_in(file)}


def test_some_week_is_written_and_some_metric_needed() -> None:
    assert WRITTEN_WEEKS[:2] == [0, 1]
    assert (1, "labsupport.training.metrics.GPU_UTILIZATION") in NEEDED


@pytest.mark.parametrize(("week", "constant"), NEEDED)
def test_every_metric_that_a_criterion_of_a_written_week_needs_has_a_writer(week: int, constant: str) -> None:
    assert constant in recorded()
