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
class Diagnosis:
    """What was looked for, what was found, and what follows."""

    name: str
    state: State
    found: str
    needed: str = ""
    without_it: str = ""
    """What will not work without it, by week or lab."""
    how: str = ""
    """How to get it."""
    gate: bool = False
    """Whether the course cannot be used without it."""

    @property
    def fails(self) -> bool:
        """Whether this diagnosis alone fails the examination."""
        return self.state is State.REQUIRED or (self.gate and self.state not in (State.OK, State.INFO))


def exit_code(diagnoses: Sequence[Diagnosis]) -> int:
    """Return 1 if the course cannot be used as it is, or a declared binary is not there; else 0."""
    return int(any(diagnosis.fails for diagnosis in diagnoses))


def as_json(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the diagnoses and the exit code as JSON text."""
    return json.dumps({"exit_code": exit_code(diagnoses), "diagnoses": [asdict(one) for one in diagnoses]}, indent=2)


_STYLES = {
    State.OK: "green",
    State.INFO: "cyan",
    State.MISSING: "yellow",
    State.OLD: "yellow",
    State.BROKEN: "bold red",
    State.REQUIRED: "bold red",
}


def render(diagnoses: Sequence[Diagnosis]) -> RenderableType:
    """Lay the diagnoses out as a rich table with a closing sentence."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("state", "what", "found", "what follows"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "state")
    for diagnosis in diagnoses:
        style = "bold red" if diagnosis.fails else _STYLES[diagnosis.state]
        found = f"{diagnosis.found} (needed: {diagnosis.needed})" if diagnosis.needed else diagnosis.found
        follows = "" if diagnosis.state is State.OK else "\n".join(filter(None, (diagnosis.without_it, diagnosis.how)))
        # Text, not markup: a version or a path may hold square brackets.
        table.add_row(Text(diagnosis.state, style), Text(diagnosis.name), Text(found), Text(follows))
    return Group(table, Text(), Text(_verdict(diagnoses)))


def _verdict(diagnoses: Sequence[Diagnosis]) -> str:
    failing = [diagnosis.name for diagnosis in diagnoses if diagnosis.fails]
    if failing:
        return f"To repair before you go on: {', '.join(failing)}."
    absent = [diagnosis.name for diagnosis in diagnoses if diagnosis.state in (State.MISSING, State.OLD)]
    if absent:
        return f"Ready. Not here: {', '.join(absent)}; the rows above say what that costs."
    return "Ready."
