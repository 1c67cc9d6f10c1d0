from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.introduction import metrics as introduction
from labsupport.receipts import provenance
from labsupport.receipts.domain import COUNT
from labsupport.receipts.ledger import Dropped, Ledger, LedgerContents, ledger, record
from labsupport.receipts.metric import Metric
from labsupport.receipts.receipt import Kind, Receipt
from labsupport.regions import metrics as regions
from labsupport.training import metrics

HARDWARE = "2 cores"


def receipt(name: str = "step_s", value: float = 0.25, source: str = "") -> Receipt:
    at = "2026-01-31T12:00:00+00:00"
    return Receipt(name, value, "s", Kind.MEASURED, 20, 0.01, HARDWARE, "labs train", "abc", source, at)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "receipts.jsonl")


def test_a_ledger_that_does_not_exist_yet_is_empty(book: Ledger) -> None:
    assert book.read().receipts == ()
    assert book.read().problems == ()
    assert book.latest("step_s") is None


def test_receipts_are_read_in_the_order_written(book: Ledger) -> None:
    written = [receipt(value=float(value)) for value in range(5)]
    for item in written:
        book.append(item)
    assert book.read().receipts == tuple(written)


def test_the_latest_is_the_one_written_last(book: Ledger) -> None:
    for value, name in enumerate(["a", "b", "a", "b"]):
        book.append(receipt(name, float(value)))
    latest = book.latest("a")
    assert latest is not None
    assert latest.value == 2.0


@given(sources=st.lists(st.text(max_size=30), max_size=4))
def test_any_text_goes_through_a_file_unchanged(tmp_path_factory: pytest.TempPathFactory, sources: list[str]) -> None:
    book = Ledger(tmp_path_factory.mktemp("ledger") / "receipts.jsonl")
    for source in sources:
        book.append(receipt(source=source))
    assert [item.source for item in book.read().receipts] == sources


@pytest.mark.parametrize("earlier", [0, 2])
def test_a_line_torn_at_any_byte_costs_that_receipt_only(book: Ledger, earlier: int) -> None:
    before = [receipt(value=float(value)) for value in range(earlier)]
    for item in before:
        book.append(item)
    start = book.path.stat().st_size if earlier else 0
    lost, after = receipt("lost", source="käse"), receipt("after")
    book.append(lost)
    whole = book.path.read_bytes()
    for end in range(start, len(whole)):
        book.path.write_bytes(whole[:end])
        kept = [*before, lost] if end == len(whole) - 1 else before  # only the line break is missing there
        contents = book.read()
        assert contents.receipts == tuple(kept)
        torn = () if end in (start, len(whole) - 1) else (f"receipts.jsonl line {earlier + 1}: torn, skipped",)
        assert contents.problems == torn

        book.append(after)
        contents = book.read()
        assert contents.receipts == (*kept, after)
        assert len(contents.problems) == len(torn)
        assert all(f"line {earlier + 1}: corrupt" in problem for problem in contents.problems)


def test_a_corrupt_middle_line_is_named_and_skipped(book: Ledger) -> None:
    for name in "abc":
        book.append(receipt(name))
    lines = book.path.read_bytes().splitlines(keepends=True)
    book.path.write_bytes(lines[0] + lines[1].replace(b"0.25", b"0.99") + lines[2])
    contents = book.read()
    assert [item.name for item in contents.receipts] == ["a", "c"]
    assert len(contents.problems) == 1
    assert contents.problems[0].startswith("receipts.jsonl line 2: corrupt (receipt id is")
    assert contents.problems[0].endswith("), skipped")


def test_a_block_of_zeros_left_by_a_power_cut_is_skipped(book: Ledger) -> None:
    book.append(receipt("a"))
    with book.path.open("ab") as file:
        file.write(b"\0" * 512)
    book.append(receipt("b"))
    assert [item.name for item in book.read().receipts] == ["a", "b"]
    assert len(book.read().problems) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01\x00" + bytes(range(256)),
        b"hello",
        b'{"a": 1}\n{"a": 2}\n',
        b"name,value\nx,1\n",
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_no_ledger_is_refused_in_one_line(book: Ledger, content: bytes) -> None:
    book.path.write_bytes(content)
    with pytest.raises(LabsError, match="not a receipts file") as refusal:
        book.read()
    assert "\n" not in str(refusal.value)


def test_a_folder_in_the_place_of_the_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match="cannot be read"):
        Ledger(tmp_path).read()
    with pytest.raises(LabsError, match="cannot be written"):
        Ledger(tmp_path).append(receipt())


def test_a_file_that_may_only_be_read_is_found_before_the_work_and_can_be_read(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    book.append(receipt("a"))

    def read_only(path: Path, flags: int, mode: int = 0o777) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)  # also root gets this one

    book.assert_writable()
    assert book.path.read_text().count("\n") == 1
    monkeypatch.setattr("labsupport.json_lines.os.open", read_only)
    for refused in (book.assert_writable, lambda: book.append(receipt("b"))):
        with pytest.raises(LabsError, match=r"cannot be written \(Read-only file system\)") as refusal:
            refused()
        assert "\n" not in str(refusal.value)
    assert [item.name for item in book.read().receipts] == ["a"]


@pytest.mark.timeout(20)
def test_a_device_without_an_end_is_not_read_and_a_full_one_is_reported_in_one_line() -> None:
    with pytest.raises(LabsError, match="it is a device or a pipe"):
        Ledger("/dev/full").read()
    with pytest.raises(LabsError, match="No space left"):
        Ledger("/dev/full").append(receipt())


def test_a_write_that_a_full_disk_cuts_short_leaves_the_file_as_it_was(
    book: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    book.append(receipt("a"))
    before = book.path.read_bytes()
    write = os.write
    monkeypatch.setattr("labsupport.json_lines.os.write", lambda file, data: write(file, data[:10]))
    with pytest.raises(LabsError, match="No space left"):
        book.append(receipt("b"))
    assert book.path.read_bytes() == before


def test_record_fills_in_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABS_COMMAND", "labs train --epochs 2")
    taken = record(metrics.RECOVERY_S, 0.25, n=20, spread=0.01, hardware=HARDWARE, seed=7)
    assert (taken.name, taken.unit, taken.kind) == ("training.recovery_s", "s", Kind.MEASURED)
    assert taken.command == "labs train --epochs 2"
    assert taken.commit
    assert taken.at.endswith("+00:00")
    assert taken.details["seed"] == 7
    assert "load_1m" in taken.details
    assert ledger().read().receipts == (taken,)


def test_record_takes_what_it_is_told_and_measures_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (0.12345, 7.0, 9.0))
    taken = record(metrics.RECOVERY_S, 2.0, n=20, spread=0.5, hardware="a rack", command="labs drill")
    assert (taken.n, taken.spread, taken.hardware, taken.command) == (20, 0.5, "a rack", "labs drill")
    assert taken.details["load_1m"] == 0.12
    assert record(metrics.RECOVERY_S, 2.0, load_1m=0.5).details["load_1m"] == 0.5
    assert ledger().path.name == "receipts.jsonl"


def test_what_was_read_is_a_fact() -> None:
    nothing = LedgerContents()
    assert (nothing.receipts, nothing.dropped, nothing.problems) == ((), (), ())
    for fact, field in ((nothing, "receipts"), (Dropped("line 1: torn", "training.loss"), "name")):
        with pytest.raises(FrozenInstanceError):
            setattr(fact, field, ())


def test_record_names_this_machine_and_its_code_for_what_ran_here_only() -> None:
    from labsupport.hardware import machine

    measured = record(metrics.RECOVERY_S, 1.0)
    simulated = record(metrics.RECOVERY_FAILING_SEEDS, 0, Kind.SIMULATED, n=20, seed=0, code="forged")
    for taken in (measured, simulated):
        assert taken.hardware == machine().summary
        assert taken.details["code"] == provenance.code("training")
        assert not provenance.is_stale(taken)
    for kind in (Kind.QUOTED, Kind.TARGET, Kind.MODELLED):
        taken = record(metrics.RECOVERY_S, 1.0, kind, source="data sheet, 2026-01-05")
        assert taken.hardware == ""
        assert "code" not in taken.details


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"value": float("nan")}, "value is nan"),
        ({"value": 1.0, "kind": "quoted"}, "source is ''"),
        ({"value": 1.0, "kind": "simulated"}, "seed is None"),
        ({"value": 1.0, "kind": "rumoured"}, "kind is 'rumoured': allowed are measured"),
        ({"value": 1.0, "unit": "ms"}, "its unit is s; convert the value"),
    ],
)
def test_record_refuses_an_incomplete_receipt_in_one_line(arguments: dict, reason: str) -> None:
    with pytest.raises(LabsError, match=r"receipt training\.recovery_s refused") as refusal:
        record(metrics.RECOVERY_S, **arguments, hardware=HARDWARE)
    assert reason in str(refusal.value)
    assert ledger().read().receipts == ()


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("training.recovery_s", "pass the metric itself, labsupport.training.metrics.RECOVERY_S"),
        ("training.recovery", "no metric is declared as 'training.recovery'; did you mean training.recovery_s?"),
        ("test.number", "no metric is declared as 'test.number'"),
        (Metric("training.happiness", "x", COUNT, "made up"), "no such metric is declared as labsupport.training"),
        (replace(metrics.ACCURACY, domain=COUNT), "no such metric is declared as labsupport.training.metrics.ACCURACY"),
        (None, "it is not a metric"),
    ],
)
def test_record_takes_a_declared_metric_and_no_name(metric: object, reason: str) -> None:
    with pytest.raises(LabsError, match="refused") as refusal:
        record(metric, 1.0)
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert ledger().read().receipts == ()


@pytest.mark.parametrize(
    ("metric", "value", "details", "rule"),
    [
        (metrics.MFU, 10.1, {}, "R0"),
        (metrics.MFU, 0.42, {"tokens_per_s_per_gpu": 247e3, "parameters": 6.74e9, "peak_flops_per_s": 989e12}, "R1"),
        (metrics.THROUGHPUT, 652, {"global_batch": 64, "step_s": 0.2}, "R2"),
        (regions.FAILOVER_MAX_S, 30, {"check_interval_s": 30, "failure_threshold": 3, "propagation_s": 60}, "R7"),
        (introduction.MATMUL_P99_MS, 48, {"samples": 50}, "R11"),
        (metrics.SCALING_EFFICIENCY, 7.0, {"gpus": 4}, "R0"),
        (metrics.RECOVERY_S, -5, {}, "R0"),
        (metrics.RECOVERY_S, 12, {"step_s": -3}, "R0"),
        (metrics.RECOVERY_FAILING_SEEDS, 21, {}, "R0"),
    ],
)
def test_record_refuses_an_impossible_number_and_names_the_rule(
    metric: Metric, value: float, details: dict, rule: str
) -> None:
    with pytest.raises(LabsError, match=f"refused: {rule} "):
        record(metric, value, n=20, spread=0.0, hardware=HARDWARE, **details)
    assert ledger().read().receipts == ()


def test_record_writes_what_is_only_suspicious() -> None:
    assert record(metrics.RECOVERY_S, 3.0, n=1, hardware=HARDWARE) in ledger().read().receipts


def test_a_dropped_line_is_told_with_the_metric_that_it_names(book: Ledger) -> None:
    for name in ("training.loss", "training.accuracy", "training.loss"):
        book.append(receipt(name))
    first, second, third = book.path.read_bytes().splitlines()
    book.path.write_bytes(b"\n".join([first.replace(b"0.25", b"0.5"), second, b"{}", third[:80]]))
    contents = book.read()
    assert [item.name for item in contents.dropped] == ["training.loss", "", "training.loss"]
    assert [problem.partition(":")[0] for problem in contents.problems] == [
        f"receipts.jsonl line {number}" for number in (1, 3, 4)
    ]
