"""The ledger: an append-only file of receipts, one JSON line each, in the learner's workspace.

Several notebooks, trainers and servers of one learner write to it at the same time, and any of them may be killed at
any moment: that is what the drills do. A line is therefore written by one system call under a lock and synced, and a
line that was torn by a crash costs that one receipt, never its neighbours.

What is not covered: network file systems whose locks are advisory in name only, and pruning; a year of labs is a few
thousand lines.
"""

from __future__ import annotations

import errno
import fcntl
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labsupport.errors import LabsError
from labsupport.receipts import physics, provenance
from labsupport.receipts.receipt import LINE_START, Kind, Receipt
from labsupport.workspace import workspace

FILE_NAME = "receipts.jsonl"


@dataclass(frozen=True)
class LedgerContents:
    """What a ledger holds: the receipts in the order written, and a sentence for every line that was skipped."""

    receipts: tuple[Receipt, ...] = ()
    problems: tuple[str, ...] = ()


class Ledger:
    """An append-only file of receipts."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def append(self, receipt: Receipt) -> None:
        """Write one receipt durably, whole or not at all.

        Raises:
            LabsError: the file cannot be written; it is left as it was.
        """
        line = receipt.to_json_line().encode() + b"\n"
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write_line(descriptor, line)
        except OSError as error:
            raise self._failure("written", error) from error
        finally:
            os.close(descriptor)  # releases the lock

    def assert_writable(self) -> None:
        """Find before hours of work that their receipts could not be written; a full disk shows only in a write.

        Raises:
            LabsError: the file cannot be opened for writing.
        """
        os.close(self._open())

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._failure("opened for writing", error) from error

    def read(self) -> LedgerContents:
        """Read every whole receipt; a torn or corrupt line is named in `problems` and skipped.

        Raises:
            LabsError: the file cannot be read, or is no ledger at all.
        """
        if self.path.exists() and not self.path.is_file() and not self.path.is_dir():
            raise LabsError(f"{self.path}: not a receipts file but a device or a pipe, which may never end")
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return LedgerContents()
        except OSError as error:
            raise self._failure("read", error) from error
        lines = content.split(b"\n")
        receipts: list[Receipt] = []
        problems: list[str] = []
        foreign = False
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                receipts.append(Receipt.from_json(line))
            except (ValueError, RecursionError) as error:
                # The piece after the last line break is a line that lost its end. One that lost only the line break
                # was whole, and has been read above.
                reason = "torn" if number == len(lines) else f"corrupt ({_one_line(error)})"
                problems.append(f"{self.path.name} line {number}: {reason}, skipped")
                foreign = foreign or not _starts_as_receipt(line)
        if foreign and not receipts:
            raise LabsError(
                f"{self.path}: not a receipts file (none of its {len(problems)} lines is a receipt); "
                "give the path of a receipts.jsonl, or move this file away"
            )
        return LedgerContents(tuple(receipts), tuple(problems))

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
    name: str,
    value: float,
    unit: str,
    kind: Kind = Kind.MEASURED,
    *,
    n: int | None = None,
    spread: float | None = None,
    source: str = "",
    command: str | None = None,
    hardware: str | None = None,
    **details: Any,
) -> Receipt:
    """Write a number to the ledger of this workspace, with its origin filled in, and return its receipt.

    Hardware is filled in for what ran here (measured, simulated): a quoted number or a goal was not taken on this
    machine. A measured number also gets `load_1m`, the load average when it was recorded.

    Raises:
        LabsError: the receipt is incomplete, or a physics rule says that the number is impossible. Nothing is written.
    """
    try:
        if hardware is None:
            hardware = _this_machine() if kind in (Kind.MEASURED, Kind.SIMULATED) else ""
        if kind == Kind.MEASURED:
            details.setdefault("load_1m", round(os.getloadavg()[0], 2))
        receipt = Receipt(
            name=name,
            value=value,
            unit=unit,
            kind=kind,
            n=n,
            spread=spread,
            hardware=hardware,
            command=provenance.command() if command is None else command,
            commit=provenance.commit(),
            source=source,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            details=details,
        )
    except ValueError as error:
        raise LabsError(f"receipt {name!r} refused: {error}") from error
    broken = [item for item in physics.lint_receipts([receipt]) if item.severity is physics.Severity.ERROR]
    if broken:
        reasons = "; ".join(f"{item.rule} {item.sentence}" for item in broken)
        raise LabsError(f"receipt {name}={value:g} {unit} refused: {reasons}; mend the number or its inputs")
    ledger().append(receipt)
    return receipt


def _this_machine() -> str:
    from labsupport.hardware import machine

    return machine().summary


def _write_line(descriptor: int, line: bytes) -> None:
    """Append a line, on a line of its own, in one write; undo a write that the disk cut short."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        line = b"\n" + line  # a crash tore the last line; joining it would lose this receipt too
    written = os.write(descriptor, line)
    if written != len(line):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def _starts_as_receipt(line: bytes) -> bool:
    start = LINE_START.encode()
    return line.startswith(start) or start.startswith(line)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
