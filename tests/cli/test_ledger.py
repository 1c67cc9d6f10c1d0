"""`labs receipts` and `labs validate`: damage is named and costs no other receipt, and JSON is JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport.receipts.ledger import ledger, record

LABS = str(Path(sys.executable).with_name("labs"))


def labs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LABS, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def damaged():
    """A ledger of three receipts, the second altered by hand and the last torn."""
    for value in (1.0, 2.0, 3.0):
        record("a.step_ms", value, "ms", n=20, spread=0.01, hardware="2 cores")
    book = ledger()
    first, second, third, _ = book.path.read_bytes().split(b"\n")
    book.path.write_bytes(b"\n".join([first, second.replace(b"2.0", b"9.0"), third[:60]]))


@pytest.mark.usefixtures("damaged")
def test_damaged_lines_are_named_one_line_each_and_the_rest_is_shown():
    done = labs("receipts", "--json")
    assert done.returncode == 0
    assert [json.loads(line)["value"] for line in done.stdout.splitlines()] == [1.0]
    corrupt, torn = done.stderr.splitlines()
    assert corrupt.startswith("receipts.jsonl line 2: corrupt (receipt id is")
    assert torn == "receipts.jsonl line 3: torn, skipped"


@pytest.mark.usefixtures("damaged")
def test_damage_is_not_valid():
    done = labs("validate")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-1] == "1 receipt, 2 errors, 0 warnings"
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:-1]] == ["error", "error"]


def test_expectations_are_judged_by_the_newest_receipt_and_counted():
    for value in (3.0, 1.0):
        record("a.step_ms", value, "ms", n=20, spread=0.01, hardware="2 cores")
    kept = labs("validate", "--expect", "a.step_ms<=1", "--expect", "a.step_ms > 9.5e-1")
    assert (kept.returncode, kept.stdout) == (0, "2 receipts, 0 errors, 0 warnings, 2 of 2 expectations met\n")
    broken = labs("validate", "--json", "--expect", "a.step_ms<1.", "--expect", "b.loss<1")
    assert broken.returncode == 1
    assert [error.partition(" (")[0] for error in json.loads(broken.stdout)["errors"]] == [
        "expected a.step_ms<1.: measured 1 ms", "expected b.loss<1: nothing of that name was measured"
    ]  # fmt: skip


def test_a_name_that_nothing_has_is_not_taken_for_an_empty_ledger():
    assert "no receipts yet" in labs("receipts").stdout
    record("a.step_ms", 1.0, "ms", n=20, spread=0.01, hardware="2 cores")
    assert labs("receipts", "--name", "b.").stdout == "none of 1 receipts has a name that starts with 'b.'\n"
