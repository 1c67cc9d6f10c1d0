from __future__ import annotations

import pytest

from labsupport.receipts.rule import Breach, Clause, Finding, Rule, Severity, differs, exceeds


def slower(step_s: float, one_worker_s: float = 1) -> Breach | None:
    return None


def misspelt(step_seconds: float) -> Breach | None:
    return None


def test_a_clause_reads_its_quantities_from_its_signature() -> None:
    clause = Clause(Severity.ERROR, slower)
    assert clause.needs == ("step_s",)
    assert clause.may_use == ("one_worker_s",)


def test_a_clause_over_an_unknown_quantity_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="step_seconds"):
        Clause(Severity.ERROR, misspelt)


def test_a_rule_is_as_grave_as_its_gravest_clause() -> None:
    warning, error = Clause(Severity.WARNING, slower), Clause(Severity.ERROR, slower)
    assert Rule("R99", "t", (warning,)).severity is Severity.WARNING
    assert Rule("R99", "t", (warning, error)).severity is Severity.ERROR


def test_the_tolerance_is_two_percent() -> None:
    assert not exceeds(1.02, 1.0)
    assert exceeds(1.021, 1.0)
    assert not differs(0.98, 1.0)
    assert differs(0.979, 1.0)
    assert differs(1.021, 1.0)


def test_a_finding_reads_as_one_line() -> None:
    finding = Finding("R1", Severity.ERROR, "line 3", 10.1, 1.0, "ten times the peak")
    assert str(finding) == "R1 error: line 3: ten times the peak"
