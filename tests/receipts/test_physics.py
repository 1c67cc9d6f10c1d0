from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.receipts.physics import RULES, Claim, Severity, depends_on_the_work, examine, lint
from labsupport.receipts.quantities import QUANTITIES
from labsupport.receipts.receipt import Kind, Receipt


def test_a_rule_without_its_quantities_is_listed_as_not_applicable() -> None:
    examination = examine(Claim("x", {"mfu": 0.4}))
    assert examination.holds == ("R1",)
    assert set(examination.not_applicable) == {rule.code for rule in RULES} - {"R1"}
    assert examination.not_applicable["R6"] == ("whole_quantile", "part_quantiles")


def test_every_rule_holds_is_broken_or_is_not_applicable() -> None:
    claim = Claim("x", {"mfu": 1.2, "whole_quantile": 40, "part_quantiles": [38, 45], "samples": 20})
    examination = examine(claim)
    broken = {finding.rule for finding in examination.findings}
    assert broken == {"R1"}
    assert examination.holds == ("R6",)
    assert broken | set(examination.holds) | set(examination.not_applicable) == {rule.code for rule in RULES}


def test_one_sample_count_alone_says_nothing_about_quantiles() -> None:
    assert "R11" in examine(Claim("x", {"samples": 3})).not_applicable
    assert "R11" in examine(Claim("x", {"p99_ms": 3})).not_applicable


def test_a_quantity_outside_its_domain_is_found_and_used_no_further() -> None:
    (finding,) = lint([{"global_batch": 256, "sequence_length": 4096, "step_s": 0, "tokens_per_s": 5}])
    assert (finding.rule, finding.severity) == ("R0", Severity.ERROR)
    assert finding.sentence == "step_s is 0, it can only be above 0"
    assert [item.rule for item in lint([{"workers": 0.5}, {"lag_s": -1}])] == ["R0", "R0"]


def test_a_tolerance_that_excuses_anything_is_refused() -> None:
    findings = lint([{"mfu": 0.4, "claim_tolerance": 5}])
    assert [item.rule for item in findings] == ["R0"]
    assert "excuses anything" in findings[0].sentence


REPORT = [
    {"subject": "8 x H100, 7B", "tokens_per_s_per_gpu": 247e3, "parameters": 6.74e9, "peak_flops_per_s": 989e12}
    | {"mfu": 0.421},
    {"subject": "throughput", "global_batch": 256, "sequence_length": 4096, "step_s": 0.129, "tokens_per_s": 1.98e6},
    {"subject": "GPUs = 1", "parameters": 6.74e9, "state_shards": 1, "gpu_memory_bytes": 80e9},
    {"subject": "global p95", "whole_quantile": 48, "part_quantiles": [42, 38, 45]},
    {"subject": "an honest line", "scaling_efficiency": 0.775, "speedup": 6.2, "workers": 8, "scaling_mode": "strong"},
    {"failover_max_s": 30, "check_interval_s": 30, "failure_threshold": 3, "propagation_s": 60},
]


def test_a_vendors_report_is_judged_line_by_line() -> None:
    found = [(finding.subject, finding.rule) for finding in lint(REPORT)]
    assert found == [
        ("8 x H100, 7B", "R1"),
        ("8 x H100, 7B", "R1"),
        ("throughput", "R2"),
        ("GPUs = 1", "R3"),
        ("global p95", "R6"),
        ("line 6", "R7"),
    ]


def test_linting_does_not_change_the_report() -> None:
    before = [dict(line) for line in REPORT]
    lint(REPORT)
    assert before == REPORT


def test_a_receipt_and_a_report_line_are_judged_by_the_same_rules(declare) -> None:
    at = "2026-01-31T12:00:00+00:00"
    declare("test.mfu", "fraction", quantity="mfu")
    receipt = Receipt("test.mfu", 1.3, "fraction", Kind.MODELLED, None, None, "", "", "", "", at)
    line, claim = {"mfu": 1.3}, Claim("a claim", {"mfu": 1.3})
    findings = lint([receipt, line, claim])
    assert {finding.rule for finding in findings} == {"R1"}
    assert len({finding.sentence for finding in findings}) == 1
    assert {finding.subject for finding in findings} == {f"test.mfu ({receipt.id})", "line 2", "a claim"}


def test_a_line_with_an_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"line 2.*tokens_per_second"):
        lint([{"mfu": 0.4}, {"tokens_per_second": 1}])


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    numbers = st.floats(-1e3, 1e15) | st.integers(-3, 100) | st.sampled_from([0.0, 1.0, 1e-6])
    quantities: dict = {}
    for name in draw(st.lists(st.sampled_from(sorted(QUANTITIES)), max_size=25, unique=True)):
        if QUANTITIES[name].text:
            quantities[name] = draw(st.sampled_from(["", "strong", "weak", "measured", "x"]))
        elif QUANTITIES[name].series:
            quantities[name] = draw(st.lists(numbers, min_size=1, max_size=4))
        else:
            quantities[name] = draw(numbers)
    return Claim("random", quantities)


@given(claim=claims())
def test_no_claim_makes_the_lint_itself_fail(claim: Claim) -> None:
    examination = examine(claim)
    for finding in examination.findings:
        assert finding.sentence
        assert "\n" not in finding.sentence
    assert examination == examine(claim)


def test_the_rule_on_running_code_is_offered_here_too() -> None:
    assert not depends_on_the_work(lambda work, seed: 0.9, "work", "nothing")
