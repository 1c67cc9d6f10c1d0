"""`labs receipts` shows the numbers you have measured; `labs validate` checks whether they can be true."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from labsupport.errors import LabsError

if TYPE_CHECKING:
    from labsupport.receipts.receipt import Receipt

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
EXPECTATION = re.compile(rf"(?P<name>[\w.]+)\s*(?P<comparison>>=|<=|>|<)\s*(?P<bound>{NUMBER})")


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(receipts)
    app.command()(validate)


def receipts(
    name: Annotated[str | None, typer.Option(help="only receipts whose name starts like this")] = None,
    last: Annotated[int, typer.Option(min=0, help="how many, newest last; 0 for all")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines for a script")] = False,
) -> None:
    """Show the numbers you measured, and where each comes from."""
    from labsupport.receipts.ledger import ledger

    contents = ledger().read()
    chosen = [receipt for receipt in contents.receipts if not name or receipt.name.startswith(name)]
    chosen = chosen[-last:]  # all of them for 0
    if as_json:
        for receipt in chosen:
            typer.echo(receipt.to_json_line())
    elif chosen:
        from rich.console import Console

        from labsupport.receipts.table import rich_table

        Console().print(rich_table(chosen, targets=True))
    elif contents.receipts:
        typer.echo(f"none of {len(contents.receipts)} receipts has a name that starts with {name!r}")
    else:
        typer.echo("no receipts yet: `labs train` and the labs write them")
    for problem in contents.problems:
        typer.echo(problem, err=True)


def validate(
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BOUND", help="bound that the newest measurement must meet, such as 'training.accuracy>=0.85'"
        ),
    ] = None,
    any_code: Annotated[
        bool, typer.Option("--any-code", help="accept a measurement even if the code that takes it has changed")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for a script")] = False,
) -> None:
    """Check every receipt, and the bounds you expect.

    Exits with 1 when a receipt is not of a declared metric, is outside the metric's domain, breaks a physics rule or
    was altered, or when an expectation is not met. A measurement is stale, and meets no expectation, once the code that
    takes it has changed. For example:

    \b
    labs validate --expect 'training.recovery_s<180' --expect 'training.accuracy>=0.9'
    """
    from labsupport.receipts.ledger import ledger
    from labsupport.receipts.physics import lint_receipts
    from labsupport.receipts.rule import Severity

    expectations = [Expectation.read(text) for text in expect or []]
    contents = ledger().read()
    found = lint_receipts(contents.receipts)
    broken = [str(finding) for finding in found if finding.severity is Severity.ERROR]
    warnings = [str(finding) for finding in found if finding.severity is not Severity.ERROR]
    unmet = [why for item in expectations if (why := item.unmet(contents.receipts, any_code))]
    errors = [*broken, *contents.problems, *unmet]
    if as_json:
        summary = {"receipts": len(contents.receipts), "errors": errors, "warnings": warnings}
        typer.echo(json.dumps(summary))
    else:
        for line in (*warnings, *broken):
            typer.echo(line)
        for line in (*contents.problems, *unmet):
            typer.echo(f"error: {line}")
        counts = [_counted(len(contents.receipts), "receipt"), _counted(len(errors), "error")]
        counts.append(_counted(len(warnings), "warning"))
        if expectations:
            counts.append(f"{len(expectations) - len(unmet)} of {_counted(len(expectations), 'expectation')} met")
        typer.echo(", ".join(counts))
    raise typer.Exit(1 if errors or not contents.receipts else 0)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@dataclass(frozen=True)
class Expectation:
    """A bound that the newest measured receipt of a name must keep."""

    text: str
    name: str
    comparison: str
    bound: float

    @classmethod
    def read(cls, text: str) -> Expectation:
        """Read `name>=number`.

        Raises:
            LabsError: it is something else, or no metric has that name.
        """
        from labsupport.receipts.metric import find, undeclared

        match = EXPECTATION.fullmatch(text.strip())
        bound = float(match["bound"]) if match else math.nan
        if not match or not math.isfinite(bound):  # 1e999 is infinite, and everything is below it
            raise LabsError(f"--expect {text!r}: write a metric, one of >= <= > <, and a number")
        if find(match["name"]) is None:
            raise LabsError(f"--expect {text!r}: {undeclared(match['name'])}")
        return cls(text, match["name"], match["comparison"], bound)

    def unmet(self, known: Sequence[Receipt], any_code: bool) -> str | None:
        """Say why the newest measured receipt of that name does not meet it, or None."""
        from labsupport.receipts.physics import why_impossible
        from labsupport.receipts.provenance import is_stale
        from labsupport.receipts.receipt import Kind

        newest = next((r for r in reversed(known) if r.name == self.name and r.kind is Kind.MEASURED), None)
        if newest is None:
            return f"expected {self.text}: nothing of that name was measured"
        if why_impossible(newest):
            return f"expected {self.text}: the newest receipt ({newest.id}) cannot be true"
        if not any_code and is_stale(newest):
            return (
                f"expected {self.text}: the newest receipt ({newest.id}, commit {newest.commit}) is stale, measured by "
                "other code than is here now; measure again, or pass --any-code"
            )
        if not COMPARISONS[self.comparison](newest.value, self.bound):
            return f"expected {self.text}: measured {newest.value:g} {newest.unit} (receipt {newest.id})"
        return None
