"""The ledger: an append-only file of receipts, one JSON line each, in the learner's workspace.

Several notebooks, trainers and servers of one learner write to it at the same time, and any of them may be killed at
any moment: that is what the drills do. `labsupport.json_lines` keeps whole what was written.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labsupport import json_lines
from labsupport.errors import LabsError
from labsupport.receipts import physics, provenance
from labsupport.receipts.metric import Metric, find, undeclared
from labsupport.receipts.receipt import LINE_START, Kind, Receipt
from labsupport.workspace import workspace

FILE_NAME = "receipts.jsonl"
NAMED = re.compile(rb'"name": "([a-z0-9_.]+)"')


@dataclass(frozen=True)
class Dropped:
    """A line that is not a receipt: torn, altered or foreign."""

    sentence: str
    name: str
    """The metric that it names, as far as that can be read; else empty."""


@dataclass(frozen=True)
class LedgerContents:
    """What a ledger holds: the receipts in the order written, and the lines that were dropped."""

    receipts: tuple[Receipt, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for every line that was dropped."""
        return tuple(item.sentence for item in self.dropped)


class Ledger:
    """An append-only file of receipts."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def append(self, receipt: Receipt) -> None:
        """Write one receipt durably, whole or not at all.

        Raises:
            LabsError: the file cannot be written; it is left as it was.
        """
        try:
            json_lines.append(self.path, receipt.to_json_line())
        except OSError as error:
            raise self._failure("written", error) from error

    def assert_writable(self) -> None:
        """Find before hours of work that their receipts could not be written; a full disk shows only in a write.

        Raises:
            LabsError: the file cannot be opened for writing.
        """
        try:
            os.close(json_lines.open_for_appending(self.path))
        except OSError as error:
            raise self._failure("written", error) from error

    def read(self) -> LedgerContents:
        """Read every whole receipt; a torn or corrupt line is named in `problems` and skipped.

        Raises:
            LabsError: the file cannot be read, or is not a ledger at all.
        """
        try:
            found = json_lines.read(self.path, Receipt.from_json)
        except OSError as error:
            raise self._failure("read", error) from error
        if not found.entries and any(not _starts_as_receipt(skipped.content) for skipped in found.skipped):
            raise LabsError(
                f"{self.path}: not a receipts file (none of its {len(found.skipped)} lines is a receipt); "
                "give the path of a receipts.jsonl, or move this file away"
            )
        dropped = (Dropped(f"{self.path.name} {skipped}", _name_in(skipped.content)) for skipped in found.skipped)
        return LedgerContents(found.entries, tuple(dropped))

    def latest(self, name: str) -> Receipt | None:
        """Return the receipt of this name that was written last, or None."""
        return next((receipt for receipt in reversed(self.read().receipts) if receipt.name == name), None)

    def _failure(self, what: str, error: OSError) -> LabsError:
        return LabsError(
            f"receipts file {self.path}: cannot be {what} ({error.strerror}); it must be a file that you may "
            "read and write, on a disk with room"
        )


def ledger() -> Ledger:
    """Return the ledger of this workspace."""
    return Ledger(workspace() / FILE_NAME)


def record(
    metric: Metric,
    value: float,
    kind: Kind = Kind.MEASURED,
    *,
    n: int | None = None,
    spread: float | None = None,
    source: str = "",
    command: str | None = None,
    hardware: str | None = None,
    **details: Any,
) -> Receipt:
    """Write a number of a declared metric to the ledger of this workspace, with its origin, and return its receipt.

    What ran here (measured, simulated) gets the hardware and `code`, a digest of the code that measured it: a quoted
    number or a goal was not taken on this machine. A measured number also gets `load_1m`, the load average when it was
    recorded.

    Raises:
        LabsError: the metric is not declared, the receipt is incomplete, or the number is impossible: outside the
            metric's domain, or by a physics rule. Nothing is written.
    """
    _check_declared(metric)
    if "unit" in details:
        raise LabsError(f"receipt {metric.name} refused: its unit is {metric.unit}; convert the value, name no unit")
    try:
        if kind in (Kind.MEASURED, Kind.SIMULATED):
            hardware = _this_machine() if hardware is None else hardware
            details["code"] = provenance.code(metric.package)
        if kind == Kind.MEASURED:
            details.setdefault("load_1m", round(os.getloadavg()[0], 2))
        receipt = Receipt(
            name=metric.name,
            value=value,
            unit=metric.unit,
            kind=kind,
            n=n,
            spread=spread,
            hardware=hardware or "",
            command=provenance.command() if command is None else command,
            commit=provenance.commit(),
            source=source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            details=details,
        )
    except ValueError as error:
        raise LabsError(f"receipt {metric.name} refused: {error}") from error
    impossible = physics.why_impossible(receipt)
    if impossible:
        raise LabsError(
            f"receipt {metric.name} = {receipt.value:g} {metric.unit} refused: {impossible}; "
            "mend the number or its inputs"
        )
    ledger().append(receipt)
    return receipt


def _check_declared(metric: object) -> None:
    if isinstance(metric, str):
        known = find(metric)
        why = f"pass the metric itself, {known.constant}" if known else undeclared(metric)
        raise LabsError(f"receipt {metric!r} refused: {why}")
    if not isinstance(metric, Metric):
        raise LabsError(f"receipt {metric!r} refused: it is not a metric")
    if find(metric.name) != metric:
        raise LabsError(f"receipt {metric.name} refused: no such metric is declared as {metric.constant}")


def _this_machine() -> str:
    from labsupport.hardware import machine

    return machine().summary


def _name_in(line: bytes) -> str:
    named = NAMED.search(line)
    return named[1].decode("ascii") if named else ""


def _starts_as_receipt(line: bytes) -> bool:
    start = LINE_START.encode()
    return line.startswith(start) or start.startswith(line)
