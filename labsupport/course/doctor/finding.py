"""One line of the doctor's report, and the report as a table, as JSON and as an exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType


class State(StrEnum):
    """How one thing stands."""

    OK = "ok"
    INFO = "info"  # nothing to repair; worth knowing
    MISSING = "missing"
    OLD = "old"
    BROKEN = "broken"
    REQUIRED = "required"  # missing or old, although LABS_REQUIRE declares it


@dataclass(frozen=True)
class Finding:
    """What was looked for, what was found, and what follows."""

    name: str
    state: State
    found: str
    needed: str = ""
    disables: str = ""
    """What does not work without it, by week or lab."""
    how: str = ""
    """How to get it."""
    gate: bool = False
    """Whether the course cannot be used without it."""

    @property
    def fails(self) -> bool:
        """Whether this finding alone fails the examination."""
        return self.state is State.REQUIRED or (self.gate and self.state not in (State.OK, State.INFO))


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 1 if the course cannot be used as it is, or a declared binary is not there; else 0."""
    return int(any(finding.fails for finding in findings))


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings and the exit code as JSON text."""
    return json.dumps({"exit_code": exit_code(findings), "findings": [asdict(one) for one in findings]}, indent=2)


_STYLES = {
    State.OK: "green",
    State.INFO: "cyan",
    State.MISSING: "yellow",
    State.OLD: "yellow",
    State.BROKEN: "bold red",
    State.REQUIRED: "bold red",
}


def render(findings: Sequence[Finding]) -> RenderableType:
    """Lay the findings out as a rich table with a closing sentence."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("state", "what", "found", "what follows"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "state")
    for finding in findings:
        style = "bold red" if finding.fails else _STYLES[finding.state]
        found = f"{finding.found} (needed: {finding.needed})" if finding.needed else finding.found
        follows = "" if finding.state is State.OK else "\n".join(filter(None, (finding.disables, finding.how)))
        # Text, not markup: a version or a path may hold square brackets.
        table.add_row(Text(finding.state, style), Text(finding.name), Text(found), Text(follows))
    return Group(table, Text(), Text(_verdict(findings)))


def _verdict(findings: Sequence[Finding]) -> str:
    failing = [finding.name for finding in findings if finding.fails]
    if failing:
        return f"To repair before you go on: {', '.join(failing)}."
    absent = [finding.name for finding in findings if finding.state in (State.MISSING, State.OLD)]
    if absent:
        return f"Ready. Not here: {', '.join(absent)}; the rows above say what that costs."
    return "Ready."
