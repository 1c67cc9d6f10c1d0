"""A parameter given on the command line arrives as what it looks like, and always as something JSON can hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.cli.setting_values import read_settings, read_value
from labsupport.errors import LabsError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4), ("-2", -2), ("+3", 3), ("007", 7), ("0", 0),
        ("1e1", 10.0), ("5e-4", 5e-4), ("3E5", 3e5), (".5", 0.5), ("2.", 2.0), ("-1.5e-3", -0.0015), (" 8 ", 8),
        ("true", True), ("false", False), ("null", None), ("True", True), ("None", None),
        ("2026-02-02", "2026-02-02"), ("2026-13-45", "2026-13-45"), ("2026-02-02T12:00:00", "2026-02-02T12:00:00"),
        ("1:30", "1:30"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("0o17", "0o17"), ("1.2.3", "1.2.3"),
        ("yes", "yes"), ("off", "off"), ("~", "~"), ("٣", "٣"), ("", ""), ("resnet18", "resnet18"), ("a=b", "a=b"),
        ("*x", "*x"), ("&x", "&x"), ("!!python/object:os.system", "!!python/object:os.system"), ("# no", "# no"),
        ('"5"', "5"), ("[1, 2.5, true]", [1, 2.5, True]), ('{"a": [null]}', {"a": [None]}),
    ],
)  # fmt: skip
def test_a_value_is_what_it_looks_like(text, value):
    found = read_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"), ("[1, 2", "is not JSON"), ("[a, b]", "is not JSON"), ('"open', "is not JSON"),
        ("nan", "not a finite number"), ("-inf", "not a finite number"), ("Infinity", "not a finite number"),
        ("[NaN]", "not a finite number"), ("1e999", "larger than a number can be"), ("[1e999]", "larger than"),
        ("9" * 5000, "has 5000 digits, more than"), ("[" + "9" * 400 + "]", "has 400 digits"),
        ("\udcff", "not UTF-8 text"), ('"\\ud800"', "not UTF-8 text"), ('["\udcff"]', "not UTF-8 text"),
        ("[" * 100_000, "nested too deeply"),
    ],
)  # fmt: skip
def test_what_is_no_value_is_refused_with_its_reason(text, reason):
    with pytest.raises(LabsError, match=reason) as refused:
        read_settings([f"goal={text}"])
    assert str(refused.value).startswith("--set 'goal=")
    assert len(str(refused.value)) < 200


@given(text=st.text())
def test_whatever_is_typed_is_refused_or_can_be_stored_in_a_notebook(text):
    try:
        value = read_value(text)
    except ValueError:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@pytest.mark.parametrize("setting", ["goal", "=1", "a b=1", "1a=1", "a-b=1"])
def test_what_is_no_name_and_value_is_refused(setting):
    with pytest.raises(LabsError, match="write name=value, such as --set num_workers=2"):
        read_settings([setting])


def test_of_a_name_that_is_there_twice_the_last_counts():
    assert read_settings(["a=1", "b=x=y", "a=2"]) == {"a": 2, "b": "x=y"}
