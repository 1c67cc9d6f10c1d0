"""`labs receipts` and `labs validate`: damage is named and costs no other receipt, and JSON is JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from labsupport.cli.main import _exit_code
from labsupport.introduction import metrics
from labsupport.receipts import provenance
from labsupport.receipts.ledger import ledger, record
from labsupport.receipts.receipt import Kind, Receipt

LABS = str(Path(sys.executable).with_name("labs"))


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def labs(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that runs the command line in this process."""
    return lambda *arguments: Done(_exit_code(list(arguments)), *capsys.readouterr())


@pytest.fixture
def damaged():
    """A ledger of three receipts, the second altered by hand and the last torn."""
    for value in (1.0, 2.0, 3.0):
        record(metrics.MATMUL_MS, value, n=20, spread=0.01, hardware="2 cores")
    book = ledger()
    first, second, third, _ = book.path.read_bytes().split(b"\n")
    book.path.write_bytes(b"\n".join([first, second.replace(b"2.0", b"9.0"), third[:60]]))


@pytest.mark.usefixtures("damaged")
def test_damaged_lines_are_named_one_line_each_and_the_rest_is_shown(labs) -> None:
    done = labs("receipts", "--json")
    assert done.returncode == 0
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [1.0]
    corrupt, torn = done.stderr.splitlines()
    assert corrupt.startswith("receipts.jsonl line 2: corrupt (receipt id is")
    assert torn == "receipts.jsonl line 3: torn, skipped"


@pytest.mark.usefixtures("damaged")
def test_damage_is_not_valid(labs) -> None:
    done = labs("validate")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "1 receipt, 2 errors, 0 warnings"
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]] == ["error", "error"]


def test_expectations_are_judged_by_the_newest_receipt_and_counted(labs) -> None:
    for value in (3.0, 1.0):
        record(metrics.MATMUL_MS, value, n=20, spread=0.01, hardware="2 cores")
    kept = labs("validate", "--expect", "introduction.matmul_ms<=1", "--expect", "introduction.matmul_ms > 9.5e-1")
    assert (kept.returncode, kept.stdout) == (0, "2 receipts, 0 errors, 0 warnings, 2 of 2 expectations met\n")
    broken = labs("validate", "--json", "--expect", "introduction.matmul_ms<1.", "--expect", "training.loss<1")
    assert broken.returncode == 1
    assert [error.partition(" (")[0] for error in json.loads(broken.stdout)["errors"]] == [
        "expected introduction.matmul_ms<1.: measured 1 ms",
        "expected training.loss<1: nothing of that name was measured",
    ]


@pytest.mark.parametrize("verb", [["receipts"], ["progress"]])
def test_a_terminal_that_knows_ascii_alone_shows_a_question_mark_for_the_rest(verb: list[str]) -> None:
    record(metrics.MATMUL_MS, 1.0, n=20, spread=0.01, hardware="2 cores of a \N{GREEK SMALL LETTER MU}CPU")
    record(metrics.MATMUL_P99_MS, 2.0, n=2000, spread=0.9, hardware="a machine with \N{PLUS-MINUS SIGN}")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([LABS, *verb], capture_output=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii()
    assert b"?" in done.stdout or verb != ["receipts"]


def test_a_name_that_nothing_has_is_not_taken_for_an_empty_ledger(labs) -> None:
    assert "no receipts yet" in labs("receipts").stdout
    record(metrics.MATMUL_MS, 1.0, n=20, spread=0.01, hardware="2 cores")
    assert labs("receipts", "--name", "b.").stdout == "none of 1 receipts has a name that starts with 'b.'\n"


def measured(value: float, **changes: object) -> Receipt:
    at = "2026-01-31T12:00:00+00:00"
    details = {"load_1m": 0.1, "code": provenance.code("introduction"), **changes}
    return Receipt(
        "introduction.matmul_ms", value, "ms", Kind.MEASURED, 20, 0.01, "2 cores", "labs", "abc", "", at, details
    )


@pytest.mark.parametrize("code", ["0" * 12, None])
def test_a_stale_measurement_meets_no_expectation_unless_any_code_will_do(code, labs) -> None:
    ledger().append(measured(1.0, code=code))
    expect = ("validate", "--expect", "introduction.matmul_ms<=1")
    done = labs(*expect)
    status, shown = done.returncode, done.stdout
    assert status == 1
    assert "is stale, measured by other code than is here now" in shown
    assert "0 of 1 expectation met" in shown
    done = labs(*expect, "--any-code")
    status, shown = done.returncode, done.stdout
    assert (status, shown) == (0, "1 receipt, 0 errors, 0 warnings, 1 of 1 expectation met\n")


def test_an_impossible_measurement_meets_no_expectation(labs) -> None:
    ledger().append(measured(-1.0))
    done = labs("validate", "--expect", "introduction.matmul_ms<=1")
    status, shown = done.returncode, done.stdout
    assert status == 1
    assert "cannot be true" in shown
    assert "0 of 1 expectation met" in shown


@pytest.mark.parametrize(
    ("expectation", "reason"),
    [
        ("introduction.matmul<1", "did you mean introduction.matmul_ms?"),
        ("introduction.matmul_ms<1e999", "write a metric, one of >= <= > <, and a number"),
        ("introduction.matmul_ms=1", "write a metric, one of >= <= > <, and a number"),
        ("introduction.matmul_ms<", "write a metric, one of >= <= > <, and a number"),
    ],
)
def test_an_expectation_that_says_nothing_is_refused(expectation: str, reason: str, labs) -> None:
    done = labs("validate", "--expect", expectation)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert reason in done.stderr


@pytest.mark.parametrize(
    ("bound", "met"),
    [(">=1", True), (">1", False), ("<=1", True), ("<1", False), ("> 9.5e-1", True), ("<= .5", False)],
)
def test_a_bound_holds_or_does_not_at_the_value_itself(bound: str, met: bool, labs) -> None:
    ledger().append(measured(1.0))
    done = labs("validate", "--expect", f"introduction.matmul_ms{bound}")
    status, shown = done.returncode, done.stdout
    assert (status == 0) == met
    assert f"{int(met)} of 1 expectation met" in shown


def test_what_is_wrong_and_what_needs_an_explanation_are_told_apart(labs) -> None:
    ledger().append(measured(-1.0))
    ledger().append(dataclasses.replace(measured(1.0), n=2))
    done = labs("validate")
    status, shown = done.returncode, done.stdout
    warning, error, counts = shown.splitlines()
    assert status == 1
    assert warning.startswith("R19 warning: introduction.matmul_ms")
    assert error.startswith("R0 error: introduction.matmul_ms")
    assert counts == "2 receipts, 1 error, 1 warning"
    done = labs("validate", "--json")
    status, shown = done.returncode, done.stdout
    assert json.loads(shown) == {"receipts": 2, "errors": [error], "warnings": [warning]}


def test_a_warning_alone_is_valid(labs) -> None:
    ledger().append(dataclasses.replace(measured(1.0), n=2))
    assert labs("validate").returncode == 0


def test_goals_are_shown_among_the_receipts(labs) -> None:
    record(metrics.MATMUL_MS, 1.0, Kind.TARGET)
    shown = labs("receipts").stdout
    assert "target" in shown


def test_only_what_was_measured_meets_an_expectation(labs) -> None:
    ledger().append(measured(1.0))
    ledger().append(dataclasses.replace(measured(9.0), kind=Kind.MODELLED))
    assert labs("validate", "--expect", "introduction.matmul_ms<=1").returncode == 0


def test_the_last_receipts_are_the_newest_and_shown_in_the_order_written(labs) -> None:
    for value in (1.0, 2.0, 3.0):
        ledger().append(measured(value))

    def values(*arguments: str) -> list[float]:
        done = labs("receipts", "--json", *arguments)
        status, shown = done.returncode, done.stdout
        assert status == 0
        return [json.loads(line)["value"] for line in shown.splitlines()]

    assert values("--last", "2") == [2.0, 3.0]
    assert values("--last", "0") == [1.0, 2.0, 3.0]
    assert values() == [1.0, 2.0, 3.0]
    assert values("--name", "introduction.matmul", "--last", "1") == [3.0]
    assert values("--name", "training.") == []


def test_twenty_receipts_are_shown_unless_told_otherwise(labs) -> None:
    for value in range(1, 23):
        ledger().append(measured(float(value)))
    shown = labs("receipts", "--json").stdout
    assert [json.loads(line)["value"] for line in shown.splitlines()] == list(range(3, 23))
