"""Every test has its own home: no test touches a learner's workspace, and sizes are those of the smoke profile."""

from __future__ import annotations

from pathlib import Path

import costs
import pytest
import selection


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("course")
    group.addoption("--week", type=int, help="only this week's lab, solution and checks, and the tests of its package")
    group.addoption("--cross", action="store_true", help="run every notebook by both runners")
    group.addoption("--costs", action="store_true", help="end with what each week and package cost, against its budget")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--costs") and not config.getoption("--collect-only"):
        config.pluginmanager.register(costs.Costs(Path(__file__).parent, costs.read_budgets()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = selection.chosen(items, Path(__file__).parent, config.getoption("--week"), config.getoption("--cross"))
    left_out = [item for item in items if item not in set(kept)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the workspace to an empty folder and clear the variables that change what labsupport does."""
    for variable in ("LABS_HIDDEN_SEEDS", "LABS_PROGRESS", "LABS_COMMAND", "PYTHONPATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LABS_PROFILE", "smoke")
    monkeypatch.setenv("LABS_WORKSPACE", str(tmp_path / "workspace"))
    return tmp_path / "workspace"
