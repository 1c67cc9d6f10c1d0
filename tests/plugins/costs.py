"""What the tests of each week and of each package cost, against the budgets of tests/budgets.toml.

`pytest --costs`, as `make test` calls it, ends with a table and fails when CPU seconds or memory are over budget by
more than half. Wall time is shown and never fails anything: it depends on what else the machine does. Everything that a
test starts counts, daemons too: see `labsupport.processes.usage`.

Limitations: memory is that of the whole run, pytest's own included, at its peak during the group.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labsupport.processes import UsageMeter

BUDGETS = Path(__file__).parents[1] / "budgets.toml"
RUN_VARIABLE = "LABS_TEST_RUN"  # set by make, so that what a test forks carries it, too
TOLERANCE = 1.5  # a slower core, a colder cache; more than half above is another program
MIB = 2**20
NOTEBOOK = re.compile(r"(lab|solution) week\d\d$")


@dataclass(frozen=True)
class Cost:
    """What one group of tests used."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float = 0.0

    def plus(self, other: Cost) -> Cost:
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, max(self.peak_mib, other.peak_mib))


@dataclass(frozen=True)
class Budget:
    """What one group may use."""

    cpu_s: float
    peak_mib: float

    def breaches(self, cost: Cost) -> list[str]:
        """Say what is over budget by more than half."""
        found = []
        if cost.cpu_s > TOLERANCE * self.cpu_s:
            found.append(f"{cost.cpu_s:.0f} CPU-s, budget {self.cpu_s:.0f}")
        if cost.peak_mib > TOLERANCE * self.peak_mib:
            found.append(f"{cost.peak_mib:.0f} MiB, budget {self.peak_mib:.0f}")
        return found


class Budgets:
    """The budgets of a file: of every notebook, with exceptions by week, and of every package of tests."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def of(self, group: str) -> Budget | None:
        """Return the budget of a group, or None when the file has none for it."""
        if NOTEBOOK.match(group):
            own = self._data["notebooks"] | self._data["notebooks"].get(group[-6:], {})
        elif group in self._data["packages"]:
            own = self._data["packages"]["default"] | self._data["packages"][group]
        else:
            return None
        return Budget(own["cpu_s"], own["peak_mib"])


def group_of(path: Path, parameters: Mapping[str, Any]) -> str:
    """Name the group of a test: the notebook that it runs, else its folder below tests/."""
    if path.parts[0] == "notebooks" and "week" in parameters:
        flavour = "lab" if path.stem == "test_labs" else "solution"
        return f"{flavour} week{parameters['week']:02d}"
    return path.parts[0] if len(path.parts) > 1 else "top level"


class Costs:
    """The plugin: one account per group; read at the border of two groups, since a reading takes milliseconds."""

    def __init__(self, tests: Path, budgets: Budgets) -> None:
        self.tests, self.budgets = tests, budgets
        self.costs: dict[str, Cost] = {}
        self._group = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Iterator[None]:
        with UsageMeter(marker=RUN_VARIABLE) as self._meter:
            self._open("")
            try:
                return (yield)
            finally:
                self._close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        callspec = getattr(item, "callspec", None)
        group = group_of(item.path.relative_to(self.tests), callspec.params if callspec else {})
        if group != self._group:
            self._close()
            self._open(group)
        return (yield)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.complaints() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("costs")
        for line in self.table():
            terminalreporter.write_line(line)
        for complaint in self.complaints():
            terminalreporter.write_line(complaint, red=True)

    def complaints(self) -> list[str]:
        """Name the groups that are over budget by more than half, and those without a budget."""
        found = []
        for group, cost in self.costs.items():
            budget = self.budgets.of(group)
            if budget is None:
                found.append(f"{group}: has no budget; give it one in tests/budgets.toml")
            else:
                found += [f"{group}: over budget by more than half: {breach}" for breach in budget.breaches(cost)]
        return found

    def table(self) -> list[str]:
        """Return one line per group, and the sum."""
        lines = [f"{'':<20}{'wall s':>9}{'CPU-s':>9}{'budget':>9}{'peak MiB':>10}{'budget':>9}"]
        for group, cost in sorted(self.costs.items()):
            budget = self.budgets.of(group)
            cpu, peak = (f"{budget.cpu_s:.0f}", f"{budget.peak_mib:.0f}") if budget else ("none", "none")
            lines.append(f"{group:<20}{cost.wall_s:9.1f}{cost.cpu_s:9.1f}{cpu:>9}{cost.peak_mib:10.0f}{peak:>9}")
        total = _total(self.costs)
        lines.append(f"{'all':<20}{total.wall_s:9.1f}{total.cpu_s:9.1f}{'':>9}{total.peak_mib:10.0f}")
        return lines

    def _open(self, group: str) -> None:
        self._group, self._started = group, time.monotonic()
        self._meter.restart_peak()
        self._cpu_before_s = self._meter.cpu_s

    def _close(self) -> None:
        if self._group:
            cpu_s = self._meter.cpu_s - self._cpu_before_s
            used = Cost(time.monotonic() - self._started, cpu_s, self._meter.peak_bytes / MIB)
            self.costs[self._group] = self.costs.get(self._group, Cost()).plus(used)
        self._group = ""


def _total(costs: Mapping[str, Cost]) -> Cost:
    total = Cost()
    for cost in costs.values():
        total = total.plus(cost)
    return total


def read_budgets(path: Path = BUDGETS) -> Budgets:
    """Read the budgets of a file."""
    return Budgets(tomllib.loads(path.read_text(encoding="utf-8")))
