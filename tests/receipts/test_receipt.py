from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts import physics
from labsupport.receipts.domain import POSITIVE
from labsupport.receipts.metric import Metric
from labsupport.receipts.receipt import LINE_START, Kind, Receipt, derive, weakest

STEP_S = Metric("test.step_s", "s", POSITIVE, "time of a step")
SPEEDUP = Metric("test.speedup", "x", POSITIVE, "time of one worker / time of all")


def receipt(**changes: object) -> Receipt:
    fields: dict = {
        "name": "week01.step_s",
        "value": 0.25,
        "unit": "s",
        "kind": Kind.MEASURED,
        "n": 20,
        "spread": 0.01,
        "hardware": "2 cores",
        "command": "labs train",
        "commit": "abc123",
        "source": "",
        "at": "2026-01-31T12:00:00+00:00",
        "details": {"seed": 7},
    }
    return Receipt(**(fields | changes))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "two\nlines"),
        ("value", math.nan),
        ("value", math.inf),
        ("value", "3"),
        ("value", True),
        ("value", 10**400),
        ("unit", " "),
        ("kind", "guessed"),
        ("n", 0),
        ("n", 2.5),
        ("n", 10**400),
        ("n", True),
        ("spread", -0.1),
        ("spread", math.nan),
        ("hardware", ""),
        ("hardware", None),
        ("at", "yesterday"),
        ("at", "2026-01-31T12:00:00"),
        ("at", "2026-01-31T12:00:00+02:00"),
        ("details", {"seed": object()}),
        ("details", {"seed": math.nan}),
        ("details", {"seed": 10**400}),
        ("details", {"nested": {"a": 1}}),
        ("details", 5),
        ("details", None),
    ],
)
def test_a_malformed_field_is_refused_by_name_and_value(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field) as refusal:
        receipt(**{field: value})
    shown = next(iter(value.values())) if isinstance(value, dict) else value
    assert repr(shown) in str(refusal.value)


def test_details_have_names() -> None:
    with pytest.raises(ValueError, match="details key is ''"):
        receipt(details={"": 1})


def test_a_quoted_number_needs_its_source() -> None:
    with pytest.raises(ValueError, match="source is ''"):
        receipt(kind=Kind.QUOTED)
    assert receipt(kind=Kind.QUOTED, source="vendor data sheet, 2026-01-05").kind is Kind.QUOTED


def test_a_simulated_number_needs_its_seed() -> None:
    with pytest.raises(ValueError, match="seed is None"):
        receipt(kind=Kind.SIMULATED, details={})
    assert receipt(kind=Kind.SIMULATED, details={"seed": 0}).details["seed"] == 0


def test_only_a_measured_number_needs_hardware() -> None:
    assert receipt(kind=Kind.MODELLED, hardware="").hardware == ""


def test_the_kind_may_be_given_as_text() -> None:
    assert receipt(kind="measured").kind is Kind.MEASURED


def test_numpy_scalars_become_plain_numbers() -> None:
    taken = receipt(value=np.float32(0.5), n=np.int64(9), details={"workers": np.int32(2), "loss": np.float64(0.25)})
    assert (type(taken.value), type(taken.n)) == (float, int)
    assert [type(value) for value in taken.details.values()] == [int, float]
    assert Receipt.from_json(taken.to_json_line()) == taken


def test_the_callers_details_cannot_change_a_receipt_afterwards() -> None:
    details = {"seed": 1}
    taken = receipt(details=details)
    before = taken.id
    details["seed"] = 2
    assert taken.id == before


def test_a_receipt_survives_pickling_hashing_and_replacing() -> None:
    taken = receipt()
    assert pickle.loads(pickle.dumps(taken)) == taken
    assert len({taken, receipt()}) == 1
    assert dataclasses.replace(taken, value=1.0).value == 1.0


def test_the_id_follows_the_content() -> None:
    assert receipt().id == receipt().id
    assert receipt().id != receipt(value=0.26).id
    assert receipt().id != receipt(details={"seed": 8}).id


def test_a_line_edited_by_hand_is_refused() -> None:
    line = receipt().to_json_line().replace("0.25", "0.2")
    with pytest.raises(ValueError, match="edited by hand"):
        Receipt.from_json(line)


def test_a_line_without_its_id_is_refused() -> None:
    content = json.loads(receipt().to_json_line())
    del content["id"]
    with pytest.raises(ValueError, match="id is None"):
        Receipt.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property name"),
        ("[]", "this is list"),
        ("7", "this is int"),
        ('{"id": "x"}', "missing or unknown: at, command"),
        ('{"id": "x", "name": "a", "extra": 1}', "extra"),
    ],
)
def test_text_that_is_no_receipt_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Receipt.from_json(text)


scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(max_size=20)


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    n=st.none() | st.integers(1, 10**9),
    source=texts,
    details=st.dictionaries(texts.filter(bool), scalars | texts | st.lists(scalars | texts, max_size=3), max_size=4),
)
def test_every_receipt_returns_unchanged_from_one_line(value: float, n: int | None, source: str, details: dict) -> None:
    taken = receipt(value=value, n=n, source=source, details=details)
    line = taken.to_json_line()
    assert line.startswith(LINE_START)
    assert "\n" not in line
    assert line.isascii()
    assert Receipt.from_json(line) == taken
    assert Receipt.from_json(line.encode()).id == taken.id


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([Kind.MEASURED, Kind.MEASURED], Kind.MEASURED),
        ([Kind.MEASURED, Kind.SIMULATED], Kind.SIMULATED),
        ([Kind.MODELLED, Kind.SIMULATED], Kind.MODELLED),
        ([Kind.QUOTED, Kind.MEASURED, Kind.MODELLED], Kind.QUOTED),
        ([Kind.TARGET, Kind.TARGET], Kind.TARGET),
    ],
)
def test_a_derived_number_is_as_weak_as_its_weakest_source(kinds: list[Kind], expected: Kind) -> None:
    assert weakest(kinds) is expected


@pytest.mark.parametrize("kinds", [[], [Kind.TARGET, Kind.MEASURED]])
def test_nothing_and_goals_among_results_have_no_kind(kinds: list[Kind]) -> None:
    with pytest.raises(ValueError, match="kinds"):
        weakest(kinds)


def test_a_derived_receipt_names_its_sources_and_inherits_their_origin() -> None:
    one, two = receipt(name="t1", value=1.0), receipt(name="t2", value=0.6, at="2026-02-01T00:00:00Z")
    speedup = derive(SPEEDUP, 1.0 / 0.6, [one, two], formula="t1 / t2", workers=2)
    assert (speedup.name, speedup.unit) == ("test.speedup", "x")
    assert speedup.kind is Kind.MEASURED
    assert speedup.hardware == "2 cores"
    assert speedup.at == two.at
    assert speedup.details["derived_from"] == (one.id, two.id)
    assert speedup.details["workers"] == 2
    assert speedup.details["seed"] == 7
    assert speedup.source.startswith("t1 / t2; derived from t1 (")


def test_derived_from_a_simulation_keeps_every_seed() -> None:
    runs = [receipt(kind=Kind.SIMULATED, details={"seed": seed}) for seed in (1, 2)]
    assert derive(STEP_S, 0.25, runs).details["seed"] == ("1", "2")


def test_a_formula_weakens_a_measurement_and_never_strengthens_it() -> None:
    measured, modelled = receipt(), receipt(kind=Kind.MODELLED)
    assert derive(STEP_S, 1.0, [measured], kind=Kind.MODELLED).kind is Kind.MODELLED
    with pytest.raises(ValueError, match="cannot be stronger"):
        derive(STEP_S, 1.0, [measured, modelled], kind=Kind.MEASURED)


def test_nothing_is_derived_from_no_source_or_from_a_goal() -> None:
    goal = receipt(kind=Kind.TARGET)
    with pytest.raises(ValueError, match="at least one source"):
        derive(STEP_S, 1.0, [])
    with pytest.raises(ValueError, match="target"):
        derive(STEP_S, 1.0, [receipt(), goal])


def test_a_derived_number_must_be_one_that_its_metric_can_have() -> None:
    with pytest.raises(
        ValueError,
        match=r"receipt test\.speedup refused: .*: it can only be above 0, not -2 x",
    ):
        derive(SPEEDUP, -2.0, [receipt()])


def test_a_derived_number_is_of_the_code_that_measured_all_of_its_sources() -> None:
    here, there = receipt(details={"seed": 1, "code": "a"}), receipt(details={"seed": 1, "code": "b"})
    assert derive(STEP_S, 1.0, [here, here]).details["code"] == "a"
    assert "code" not in derive(STEP_S, 1.0, [here, there]).details


VALID = json.loads(receipt().to_json_line())
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(VALID)), value=json_values)
def test_whatever_a_foreign_line_holds_it_is_a_receipt_or_a_value_error(field: str, value: object) -> None:
    with contextlib.suppress(ValueError):
        taken = Receipt.from_json(json.dumps(VALID | {field: value}))
        assert taken.name
    content = {name: value for name, value in (VALID | {field: value}).items() if name != "id"}
    with contextlib.suppress(ValueError):
        physics.lint_receipts([Receipt(**content)])  # with the id that belongs to it
