"""`labs receipts` shows the numbers you have measured; `labs validate` says whether they can be believed."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from labsupport.errors import LabsError

if TYPE_CHECKING:
    from labsupport.receipts.receipt import Receipt

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
EXPECTATION = re.compile(r"(?P<name>[\w.]+)\s*(?P<comparison>>=|<=|>|<)\s*(?P<bound>[-+.\deE]+)")


def register(app: typer.Typer) -> None:
    """Add these verbs to the command line."""
    app.command()(receipts)
    app.command()(validate)


def receipts(
    name: Annotated[str | None, typer.Option(help="only receipts whose name starts like this")] = None,
    last: Annotated[int, typer.Option(help="how many, newest last; 0 for all")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines for a script")] = False,
) -> None:
    """Show the numbers you measured, and where each comes from."""
    from labsupport.receipts.ledger import ledger

    contents = ledger().read()
    chosen = [receipt for receipt in contents.receipts if not name or receipt.name.startswith(name)]
    chosen = chosen[-last:] if last > 0 else chosen
    if as_json:
        for receipt in chosen:
            typer.echo(receipt.to_json_line())
    elif chosen:
        from rich.console import Console

        from labsupport.receipts.table import rich_table

        Console().print(rich_table(chosen, targets=True))
    else:
        typer.echo("no receipts yet: `labs train` and the labs write them")
    for problem in contents.problems:
        typer.echo(problem, err=True)


def validate(
    expect: Annotated[
        list[str] | None, typer.Option(help="a bound that the newest measured receipt must keep, as 'name>=0.85'")
    ] = None,
    any_commit: Annotated[
        bool, typer.Option("--any-commit", help="accept receipts of other versions of the code")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for a script")] = False,
) -> None:
    """Check every receipt: physics rules, freshness, expectations.

    Exits with 1 when a receipt breaks a rule, was altered, or an expectation is not met. For example:
    labs validate --expect 'training.recovery_s<180' --expect 'training.accuracy>=0.9'
    """
    from labsupport.receipts.ledger import ledger
    from labsupport.receipts.physics import lint_receipts
    from labsupport.receipts.rule import Severity

    contents = ledger().read()
    found = lint_receipts(contents.receipts)
    errors = [str(finding) for finding in found if finding.severity is Severity.ERROR]
    warnings = [str(finding) for finding in found if finding.severity is not Severity.ERROR]
    errors += contents.problems
    errors += [failure for text in expect or [] if (failure := unmet(text, contents.receipts, any_commit))]
    if as_json:
        typer.echo(json.dumps({"receipts": len(contents.receipts), "errors": errors, "warnings": warnings}))
    else:
        for line in warnings:
            typer.echo(f"warning  {line}")
        for line in errors:
            typer.echo(f"error    {line}")
        kept = len(expect or []) - sum(1 for line in errors if line.startswith("expected "))
        typer.echo(
            f"{len(contents.receipts)} receipts, {len(errors)} errors, {len(warnings)} warnings"
            + (f", {kept} of {len(expect)} expectations met" if expect else "")
        )
    raise typer.Exit(1 if errors or not contents.receipts else 0)


def unmet(text: str, known: Sequence[Receipt], any_commit: bool) -> str | None:
    """Say why an expectation is not met by the newest measured receipt of that name, or None.

    Raises:
        LabsError: the expectation is not `name>=number`.
    """
    from labsupport.receipts.provenance import commit
    from labsupport.receipts.receipt import Kind

    match = EXPECTATION.fullmatch(text.strip())
    if not match:
        raise LabsError(f"--expect {text!r}: write a receipt's name, one of >= <= > <, and a number")
    newest = next((r for r in reversed(known) if r.name == match["name"] and r.kind is Kind.MEASURED), None)
    if newest is None:
        return f"expected {text}: nothing of that name was measured"
    if not any_commit and newest.commit != commit():
        return f"expected {text}: the newest receipt is stale, measured at commit {newest.commit}"
    if not COMPARISONS[match["comparison"]](newest.value, float(match["bound"])):
        return f"expected {text}: measured {newest.value:g} {newest.unit} (receipt {newest.id})"
    return None
