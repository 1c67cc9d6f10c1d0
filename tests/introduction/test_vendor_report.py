"""The vendor's report: what is planted is what the physics lint finds, for every seed, with room on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labsupport.introduction.vendor_report import NOTICE, SUSPICIOUS_LINES, TOPICS, Report, Truth, report
from labsupport.receipts.physics import Finding, Severity, lint

SEEDS = range(200)
LARGEST_SEED = 2**31 - 1


def findings(written: Report, **more: float) -> tuple[Finding, ...]:
    return lint([{"subject": line.id, **line.quantities, **more} for line in written.lines])


def subjects(found: tuple[Finding, ...], severity: Severity) -> set[str]:
    return {finding.subject for finding in found if finding.severity is severity}


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    return [report(seed) for seed in SEEDS]


def test_the_lint_finds_exactly_the_planted_lines(reports):
    for written in reports:
        found = findings(written)
        accused = subjects(found, Severity.ERROR)
        assert accused == written.ids(Truth.IMPOSSIBLE), written.seed
        assert subjects(found, Severity.WARNING) - accused == written.ids(Truth.SUSPICIOUS), written.seed


@settings(max_examples=50, deadline=None)
@given(st.integers(0, LARGEST_SEED))
def test_the_lint_agrees_on_any_seed_that_a_grade_may_use(seed):
    written = report(seed)
    assert subjects(findings(written), Severity.ERROR) == written.ids(Truth.IMPOSSIBLE)


def test_sound_lines_hold_at_less_than_half_of_the_tolerance(reports):
    for written in reports:
        accused = subjects(findings(written, claim_tolerance=0.008), Severity.ERROR)
        assert accused == written.ids(Truth.IMPOSSIBLE), written.seed


def test_impossible_lines_are_found_at_four_times_the_tolerance(reports):
    for written in reports:
        accused = subjects(findings(written, claim_tolerance=0.08), Severity.ERROR)
        assert accused == written.ids(Truth.IMPOSSIBLE), written.seed


def test_a_report_has_one_line_per_topic_and_the_promised_mistakes(reports):
    for written in reports:
        assert len(written.lines) == len(TOPICS) == 17
        assert len({line.id for line in written.lines}) == len(TOPICS)
        assert 6 <= len(written.ids(Truth.IMPOSSIBLE)) <= 8
        assert len(written.ids(Truth.SUSPICIOUS)) == SUSPICIOUS_LINES


def test_every_mistake_that_a_topic_can_carry_occurs_and_every_topic_is_sound_somewhere(reports):
    by_kind: dict[frozenset[str], set[Truth]] = {}
    for written in reports:
        for line in written.lines:
            by_kind.setdefault(frozenset(line.quantities), set()).add(written.truth[line.id])
    assert all(Truth.SOUND in seen for seen in by_kind.values())
    impossible = sum(Truth.IMPOSSIBLE in seen for seen in by_kind.values())
    suspicious = sum(Truth.SUSPICIOUS in seen for seen in by_kind.values())
    two_ways_to_state_a_failover = 1
    assert impossible == sum(topic.can_be_impossible for topic in TOPICS) + two_ways_to_state_a_failover
    assert suspicious == sum(topic.can_be_suspicious for topic in TOPICS)


def test_a_seed_gives_one_report_and_another_seed_another_order(reports):
    assert report(3) == reports[3]
    assert len({tuple(frozenset(line.quantities) for line in written.lines) for written in reports}) > 190
    assert len({frozenset(written.ids(Truth.IMPOSSIBLE)) for written in reports}) > 150


def test_the_claims_are_a_copy_that_an_answer_may_spoil():
    written = report(0)
    written.claims["L01"].clear()
    assert written.claims["L01"] == dict(written.lines[0].quantities)
    assert written.claims["L01"] != {}


def test_a_displayed_report_says_that_it_is_fictional_and_hides_the_truth():
    bundle = report(0)._repr_mimebundle_()
    for shown in bundle.values():
        assert NOTICE in shown
        assert "L17" in shown
        assert not any(truth.value in shown for truth in (Truth.IMPOSSIBLE, Truth.SUSPICIOUS))
