"""The reference rules of week 0 agree with the physics lint, which was written apart from them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labsupport.introduction import overruns
from labsupport.introduction.vendor_report import Truth, report
from labsupport.receipts.physics import Severity, lint

# Rules of the lint whose errors each function covers; it may not find what the others cover.
COVERED = {
    overruns.training: {"R1", "R2"},
    overruns.memory: {"R3", "R8"},
    overruns.service: {"R6", "R7", "R14"},
    overruns.rest: {"R4", "R11", "R15", "R17"},
}


@pytest.mark.parametrize("rule", COVERED, ids=lambda rule: rule.__name__)
def test_a_rule_accuses_the_lines_that_the_lint_refuses_for_it(rule):
    for seed in range(60):
        claims = report(seed).claims
        found = lint([{"subject": line_id, **line} for line_id, line in claims.items()])
        refused = {item.subject for item in found if item.severity is Severity.ERROR and item.rule in COVERED[rule]}
        assert overruns.audit(claims, [rule]) == refused, seed


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_the_audit_accuses_exactly_the_impossible_lines(seed):
    written = report(seed)
    assert overruns.audit(written.claims) == written.ids(Truth.IMPOSSIBLE)


@pytest.mark.parametrize("rule", overruns.RULES, ids=lambda rule: rule.__name__)
def test_a_rule_is_silent_about_a_line_that_states_nothing_it_needs(rule):
    assert rule({}) is None
    assert rule({"hit_rate": 0.9}) is None


def test_no_number_of_probes_shows_an_availability_of_one():
    assert overruns.service({"availability": 1.0, "probes": 1e9}) == math.inf


def test_an_equality_overruns_by_as_much_in_either_direction():
    line = {"gpus": 8, "tokens_per_s_per_gpu": 100.0}
    assert overruns.training(line | {"tokens_per_s": 1600.0}) == 2
    assert overruns.training(line | {"tokens_per_s": 400.0}) == 2
