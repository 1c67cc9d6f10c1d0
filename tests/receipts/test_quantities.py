from __future__ import annotations

import pytest

from labsupport.receipts.physics import RULES
from labsupport.receipts.quantities import QUANTITIES, UNITS, converted


def test_every_quantity_is_used_by_a_rule() -> None:
    used = {name for rule in RULES for clause in rule.clauses for name in (*clause.needs, *clause.may_use)}
    assert set(QUANTITIES) == used


def test_a_name_that_ends_in_a_unit_has_that_unit() -> None:
    suffixes = {"_bytes": "B", "_bytes_per_s": "B/s", "_flops_per_s": "FLOP/s", "_ms": "ms", "_usd": "USD"}
    for name, quantity in QUANTITIES.items():
        for suffix, unit in suffixes.items():
            if name.endswith(suffix):
                assert quantity.unit == unit, name
        if name.endswith("_s") and "_per_s" not in name:
            assert quantity.unit in ("s", "GPU s"), name


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "expected"),
    [
        (1.5, "s", "ms", 1500.0),
        (42.0, "%", "fraction", 0.42),
        (1.0, "GiB", "B", 2.0**30),
        (100.0, "Gbit/s", "B/s", 12.5e9),
        (989.0, "TFLOP/s", "FLOP/s", 989e12),
        (7.0, "apples", "apples", 7.0),
        (7.0, "apples", "any", 7.0),
        (7.0, "s", "B", None),
        (7.0, "apples", "s", None),
    ],
)
def test_units_of_one_thing_convert_and_others_do_not(
    value: float, unit: str, wanted: str, expected: float | None
) -> None:
    assert converted(value, unit, wanted) == (None if expected is None else pytest.approx(expected))


def test_units_have_a_positive_size() -> None:
    assert all(size > 0 for _, size in UNITS.values())
