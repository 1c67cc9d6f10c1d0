"""What became of each element that somebody added: stable, lost, stale, never read."""

from __future__ import annotations

import random

import pytest

from labsupport.faults.histories.history import Completion, Judgement, Operation
from labsupport.faults.histories.set_full import judge_set_full


def add(element, start, end, completion=Completion.OK):
    return Operation("adder", "add", "", element, float(start), end and float(end), None, completion)


def read(elements, start, end, completion=Completion.OK):
    return Operation("reader", "read", "", None, float(start), end and float(end), elements, completion)


def pending_add(element, start):
    return add(element, start, None, Completion.UNKNOWN)


def test_an_element_that_the_last_reads_have_is_stable():
    report = judge_set_full([add(1, 0, 1), add(2, 0, 1), read([1, 2], 2, 3)])
    assert (report.judgement, report.stable) == (Judgement.HOLDS, (1, 2))
    assert report.sentence == "2 adds, 2 acknowledged, 2 stable"


def test_an_acknowledged_element_that_later_reads_miss_is_lost():
    report = judge_set_full([add(1, 0, 1), add(2, 0, 1), read([1, 2], 2, 3), read([1], 4, 5)])
    assert (report.judgement, report.stable, report.lost) == (Judgement.VIOLATED, (1,), (2,))
    assert "1 lost (2)" in report.sentence


def test_an_element_that_was_read_is_known_even_if_its_add_was_never_acknowledged():
    seen_then_gone = [pending_add(1, 0), add(2, 0, 1), read([1, 2], 2, 3), read([2], 4, 5)]
    assert judge_set_full(seen_then_gone).lost == (1,)
    never_seen = [pending_add(1, 0), add(2, 0, 1), read([2], 4, 5)]
    report = judge_set_full(never_seen)
    assert (report.judgement, report.lost, report.never_read) == (Judgement.HOLDS, (), ())


def test_a_read_that_began_before_the_element_was_known_proves_nothing():
    report = judge_set_full([add(1, 0, 5), read([], 4, 6)])
    assert (report.judgement, report.lost, report.never_read) == (Judgement.UNDECIDED, (), (1,))


def test_an_element_that_was_missing_for_a_while_is_stale():
    for allow_stale, judgement in ((False, Judgement.VIOLATED), (True, Judgement.HOLDS)):
        report = judge_set_full(
            [add(1, 0, 1), read([], 2, 3), read([], 5, 6), read([1], 7, 8)], allow_stale=allow_stale
        )
        assert (report.judgement, report.stable, report.stale, report.stale_s) == (judgement, (1,), (1,), 4.0)


def test_what_decides_is_when_a_read_began():
    """The read that missed it returned last, but began first, and so may have looked before."""
    report = judge_set_full([add(1, 0, 1), read([], 2, 9), read([1], 3, 4)])
    assert (report.lost, report.stale) == ((), (1,))


def test_an_acknowledged_element_without_a_later_read_was_never_read():
    report = judge_set_full([add(1, 0, 1), read([1], 2, 3), add(2, 4, 5)])
    assert (report.judgement, report.never_read) == (Judgement.HOLDS, (2,))


def test_an_element_that_nobody_added_is_unexpected():
    report = judge_set_full([add(1, 0, 1), read([1, 7], 2, 3)])
    assert (report.judgement, report.unexpected) == (Judgement.VIOLATED, (7,))


def test_an_element_whose_add_failed_must_not_be_there():
    report = judge_set_full([add(1, 0, 1), add(2, 0, 1, Completion.FAILED), read([1, 2], 2, 3)])
    assert (report.judgement, report.unexpected) == (Judgement.VIOLATED, (2,))


def test_an_element_twice_in_one_read_is_duplicated():
    report = judge_set_full([add(1, 0, 1), read([1, 1], 2, 3)])
    assert (report.judgement, report.duplicated) == (Judgement.VIOLATED, (1,))
    assert judge_set_full([add(1, 0, 1), read({1}, 2, 3), read([1], 4, 5)]).duplicated == ()


@pytest.mark.parametrize("completion", [Completion.FAILED, Completion.UNKNOWN])
def test_a_read_that_did_not_succeed_counts_for_nothing(completion):
    report = judge_set_full([add(1, 0, 1), read([1], 2, 3), read([], 4, 5, completion)])
    assert (report.judgement, report.lost) == (Judgement.HOLDS, ())


def test_an_unacknowledged_add_of_the_same_element_later_does_not_unknow_it():
    assert judge_set_full([add(1, 0, 1), pending_add(1, 2), read([], 3, 4)]).lost == (1,)


def test_a_history_without_reads_is_undecided():
    assert judge_set_full([add(1, 0, 1)]).judgement is Judgement.UNDECIDED
    assert judge_set_full([]).judgement is Judgement.UNDECIDED


def test_it_agrees_with_the_definitions_on_random_histories():
    for seed in range(3000):
        draw = random.Random(seed)
        adds, reads = [], []
        for element in range(draw.randint(1, 2)):
            start = draw.randint(0, 5)
            completion = draw.choice([Completion.OK, Completion.OK, Completion.UNKNOWN])
            adds.append(add(element, start, start + draw.randint(1, 4), completion))
        for _ in range(draw.randint(0, 4)):
            start = draw.randint(0, 12)
            reads.append(
                read(draw.sample(range(len(adds)), draw.randint(0, len(adds))), start, start + draw.randint(1, 4))
            )
        report = judge_set_full([*adds, *reads])
        for one in adds:
            element = one.argument
            proofs = [r.ended_s for r in reads if element in r.result] + ([one.ended_s] if one.succeeded else [])
            misses = [r.started_s for r in reads if element not in r.result]
            sights = [r.started_s for r in reads if element in r.result]
            known_s = min(proofs, default=None)
            missed_later = known_s is not None and any(at_s > known_s for at_s in misses)
            seen_last = bool(sights) and all(at_s < max(sights) for at_s in misses)
            assert (element in report.stable) == seen_last, seed
            assert (element in report.stale) == (seen_last and missed_later), seed
            assert (element in report.lost) == (not seen_last and missed_later), seed
            assert (element in report.never_read) == (known_s is not None and not seen_last and not missed_later), seed
