"""Costs are put on the right account; CPU seconds and memory over budget fail the run, wall time does not."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import costs
import pytest
from costs import Budget, Budgets, Cost, group_of

TESTS = Path(__file__).parents[1]
DATA = {
    "notebooks": {"cpu_s": 60, "peak_mib": 1000, "week01": {"cpu_s": 130}},
    "packages": {"default": {"cpu_s": 30, "peak_mib": 1000}, "training": {"cpu_s": 240}, "cli": {}},
}


@pytest.fixture
def plugin() -> costs.Costs:
    return costs.Costs(TESTS, Budgets(DATA))


def test_a_notebook_has_an_account_of_its_own_and_other_tests_share_that_of_their_folder():
    assert group_of(Path("notebooks/test_labs.py"), {"week": 1}) == "lab week01"
    assert group_of(Path("notebooks/test_solutions.py"), {"week": 12}) == "solution week12"
    assert group_of(Path("notebooks/test_labs.py"), {}) == "notebooks"
    assert group_of(Path("training/data/test_hub.py"), {"week": 1}) == "training"
    assert group_of(Path("test_readme.py"), {}) == "top level"


def test_a_budget_is_that_of_its_kind_unless_the_group_has_its_own():
    budgets = Budgets(DATA)
    assert budgets.of("lab week00") == Budget(60, 1000)
    assert budgets.of("solution week01") == Budget(130, 1000)
    assert budgets.of("training") == Budget(240, 1000)
    assert budgets.of("cli") == Budget(30, 1000)
    assert budgets.of("serving") is None


def test_half_over_budget_is_a_breach_and_less_is_none():
    budget = Budget(cpu_s=100, peak_mib=1000)
    assert budget.breaches(Cost(wall_s=0, cpu_s=150, peak_mib=1500)) == []
    assert budget.breaches(Cost(wall_s=0, cpu_s=151, peak_mib=0)) == ["151 CPU-s, budget 100"]
    assert budget.breaches(Cost(wall_s=0, cpu_s=0, peak_mib=1501)) == ["1501 MiB, budget 1000"]


def test_wall_time_never_is_one(plugin):
    plugin.costs = {"cli": Cost(wall_s=1e6, cpu_s=1, peak_mib=1)}
    assert plugin.complaints() == []


def test_a_group_over_budget_is_named_and_so_is_one_without_a_budget(plugin):
    plugin.costs = {"cli": Cost(1, 46, 1), "lab week00": Cost(1, 1, 1501), "serving": Cost(1, 1, 1)}
    assert plugin.complaints() == [
        "cli: over budget by more than half: 46 CPU-s, budget 30",
        "lab week00: over budget by more than half: 1501 MiB, budget 1000",
        "serving: has no budget; give it one in tests/budgets.toml",
    ]


def test_the_table_shows_cost_beside_budget_and_the_sum(plugin):
    plugin.costs = {"training": Cost(3.0, 20.0, 300.0), "cli": Cost(1.5, 1.0, 700.0)}
    assert [line.split() for line in plugin.table()[1:]] == [
        ["cli", "1.5", "1.0", "30", "700", "1000"],
        ["training", "3.0", "20.0", "240", "300", "1000"],
        ["all", "4.5", "21.0", "700"],
    ]


def test_every_folder_of_tests_and_every_notebook_has_a_budget():
    budgets = costs.read_budgets()
    folders = {group_of(path.relative_to(TESTS), {}) for path in TESTS.rglob("test_*.py")}
    assert {folder for folder in folders if budgets.of(folder) is None} == set()
    notebooks = [f"lab {path.stem}" for path in (TESTS.parent / "solutions").glob("week*.py")]
    assert notebooks
    assert [name for name in notebooks if budgets.of(name) is None] == []


@pytest.mark.slow
def test_a_run_over_budget_fails_though_every_test_passes(tmp_path):
    write(tmp_path, "cli/test_burn.py", BURN)
    write(tmp_path, "training/test_idle.py", IDLE)
    write(tmp_path, "conftest.py", CONFTEST.format(plugins=str(TESTS / "plugins"), cpu_s=1))
    done = run_pytest(tmp_path)
    assert done.returncode == 1
    assert "2 passed" in done.stdout
    assert "cli: over budget by more than half" in done.stdout
    assert "training: over" not in done.stdout
    write(tmp_path, "conftest.py", CONFTEST.format(plugins=str(TESTS / "plugins"), cpu_s=1000))
    assert run_pytest(tmp_path).returncode == 0


BURN = """
    import time

    def test_burn():
        started = time.process_time()
        while time.process_time() - started < 2:
            pass
"""
IDLE = """
    import time

    def test_idle():
        time.sleep(2)
"""
CONFTEST = """
    import sys
    from pathlib import Path

    sys.path.insert(0, {plugins!r})
    import costs

    def pytest_configure(config):
        own = {{"default": {{"cpu_s": {cpu_s}, "peak_mib": 9999}}, "cli": {{}}, "training": {{}}}}
        config.pluginmanager.register(costs.Costs(Path(__file__).parent, costs.Budgets({{"packages": own}})))
"""


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))


def run_pytest(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != costs.RUN_VARIABLE}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(folder)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
