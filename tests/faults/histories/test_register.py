"""Linearizable registers: the search against every order there is, cases with a name, and short explanations."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import pytest

from labsupport.errors import LabsError
from labsupport.faults.histories.history import Completion, Judgement, Operation
from labsupport.faults.histories.register import judge_register

IMPOSSIBLE = object()


def op(process, action, argument, start, end, result=None, completion=Completion.OK, key="x"):
    return Operation(process, action, key, argument, start, end, result, completion)


def write(value, start, end, process="w", **more):
    return op(process, "write", value, start, end, **more)


def read(value, start, end, process="r", **more):
    return op(process, "read", None, start, end, value, **more)


def cas(expected, new, start, end, swapped, process="c", **more):
    return op(process, "cas", (expected, new), start, end, swapped, **more)


def pending(action, argument, start):
    return op("p", action, argument, start, None, completion=Completion.UNKNOWN)


def by_brute_force(operations, initial=None) -> bool:
    """Try every order of every choice among the operations whose end is unknown."""
    operations = [one for one in operations if one.completion is not Completion.FAILED]
    unsure = [one for one in operations if not one.succeeded]
    return any(
        _some_order_obeys([one for one in operations if one.succeeded or one in chosen], initial)
        for size in range(len(unsure) + 1)
        for chosen in combinations(unsure, size)
    )


def _some_order_obeys(left, value) -> bool:
    return not left or any(
        (after := _after(one, value)) is not IMPOSSIBLE and _some_order_obeys([o for o in left if o is not one], after)
        for one in left
        if not any(other.succeeded and other.ended_s < one.started_s for other in left)
    )


def _after(one, value):
    if one.action == "write":
        return one.argument
    if one.action == "read":
        return IMPOSSIBLE if one.succeeded and one.result != value else value
    expected, new = one.argument
    if one.succeeded and bool(one.result) != (value == expected):
        return IMPOSSIBLE
    return new if value == expected else value


def some_history(seed: int) -> list[Operation]:
    draw = random.Random(seed)
    return [_some_operation(draw, f"p{number}") for number in range(draw.randint(1, 6))]


def _some_operation(draw: random.Random, process: str) -> Operation:
    start = draw.randint(0, 8)
    end = draw.choice([None, *[draw.randint(start, 10)] * 4])
    action = draw.choice(["read", "read", "write", "write", "cas"])
    value, other, nothing_or_value = draw.randint(0, 2), draw.randint(0, 2), draw.choice([None, 0, 1, 2])
    argument = {"read": None, "write": value, "cas": (value, other)}[action]
    result = {"read": nothing_or_value, "write": None, "cas": draw.random() < 0.5}[action]
    completion = draw.choice([Completion.OK] * 4 + [Completion.UNKNOWN, Completion.FAILED])
    return op(process, action, argument, float(start), None if end is None else float(end), result, completion)


def test_the_search_agrees_with_trying_every_order():
    verdicts = []
    for seed in range(3000):
        history = some_history(seed)
        verdicts.append(by_brute_force(history))
        assert (judge_register(history).judgement is Judgement.HOLDS) == verdicts[-1], seed
    assert 1000 < sum(verdicts) < 2000


def test_an_explanation_cannot_be_ordered_itself_and_another_answer_would_have_been_possible():
    for seed in range(2000):
        history = some_history(seed)
        report = judge_register(history)
        if report.judgement is not Judgement.VIOLATED:
            continue
        *_, last = report.operations
        assert not by_brute_force(report.operations)
        until = [one for one in history if one.started_s <= last.ended_s]
        before = [one for one in until if one.ended_s is None or one.ended_s <= last.ended_s]
        open_then = [replace(one, ended_s=None) for one in until if one not in before]
        others = [one for one in [*before, *open_then] if one != last]
        answers = {True, False} if last.action == "cas" else {None, 0, 1, 2}
        possible = {answer for answer in answers if by_brute_force([*others, replace(last, result=answer)])}
        assert set(report.possible) == possible
        assert last.result not in possible


def test_a_read_after_an_acknowledged_write_must_see_it():
    stale = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]
    report = judge_register(stale)
    assert report.judgement is Judgement.VIOLATED
    assert report.possible == (2,)
    assert "r: read x -> 1 at 5.000 s, but only 2 was possible" in report.sentence


def test_a_read_during_a_write_may_see_either_value_but_no_later_one_goes_back():
    during = [write(1, 0, 1), write(2, 2, 9), read(2, 3, 4), read(1, 3, 5)]
    assert judge_register(during).judgement is Judgement.HOLDS
    assert judge_register([*during, read(1, 6, 7)]).judgement is Judgement.VIOLATED


def test_operations_of_one_instant_follow_the_order_in_which_they_were_recorded():
    def at_once(order_of_write, order_of_read):
        wrote = Operation("w", "write", "x", 1, 0.0, 1.0, None, Completion.OK, 1, order_of_write)
        found = Operation("r", "read", "x", None, 1.0, 1.0, None, Completion.OK, order_of_read, 9)
        return judge_register([wrote, found]).judgement

    assert at_once(order_of_write=2, order_of_read=3) is Judgement.VIOLATED
    assert at_once(order_of_write=3, order_of_read=2) is Judgement.HOLDS
    assert judge_register([write(1, 0, 1), read(None, 1, 2)]).judgement is Judgement.HOLDS


def test_a_write_that_timed_out_may_show_at_any_later_time_or_never_but_not_before_its_call():
    lost_answer = write(1, 0, 1, completion=Completion.UNKNOWN)
    for first, second in [(None, None), (None, 1), (1, 1)]:
        assert judge_register([lost_answer, read(first, 2, 3), read(second, 4, 5)]).judgement is Judgement.HOLDS
    assert judge_register([lost_answer, read(1, 2, 3), read(None, 4, 5)]).judgement is Judgement.VIOLATED
    assert judge_register([read(1, 0, 1), pending("write", 1, 2)]).judgement is Judgement.VIOLATED


def test_a_write_that_failed_must_never_show():
    failed = write(1, 0, 1, completion=Completion.FAILED)
    report = judge_register([failed, read(1, 2, 3)])
    assert report.judgement is Judgement.VIOLATED
    assert report.possible == (None,)


def test_two_swaps_of_one_value_cannot_both_succeed():
    both = [write(0, 0, 1), cas(0, 1, 2, 4, swapped=True, process="a"), cas(0, 1, 2, 4, swapped=True, process="b")]
    report = judge_register(both)
    assert report.judgement is Judgement.VIOLATED
    assert report.possible == (False,)
    assert "cas x from 0 to 1 -> True" in report.sentence


def test_a_failed_swap_needs_a_write_of_unknown_end_to_have_happened():
    refused = [write(0, 0, 1), cas(0, 5, 4, 5, swapped=False)]
    assert judge_register(refused).judgement is Judgement.VIOLATED
    assert judge_register([*refused, pending("write", 3, 2)]).judgement is Judgement.HOLDS


def test_keys_are_registers_of_their_own():
    both = [write(1, 0, 1, key="x"), write(2, 2, 3, key="y"), read(1, 4, 5, key="x"), read(1, 4, 5, key="y")]
    report = judge_register(both)
    assert (report.judgement, report.key) == (Judgement.VIOLATED, "y")


def test_an_explanation_leaves_out_everything_that_happened_before_and_after():
    before = [step for n in range(40) for step in (write(n, 10 * n, 10 * n + 1), read(n, 10 * n + 2, 10 * n + 3))]
    wrong = [write("old", 500, 501), write("new", 502, 503), read("old", 504, 505, process="victim")]
    after = [write(n, 600 + 10 * n, 601 + 10 * n) for n in range(20)]
    report = judge_register([*before, *wrong, *after])
    assert list(report.operations) == wrong
    assert report.explanation.splitlines()[1:] == [
        "  500.000 to 501.000 s  w: write x = 'old': ok",
        "  502.000 to 503.000 s  w: write x = 'new': ok",
        "  504.000 to 505.000 s  victim: read x -> 'old'",
    ]


def test_an_explanation_keeps_the_writes_that_its_operations_need():
    chain = [write(0, 0, 1), cas(0, 1, 2, 3, swapped=True), cas(1, 2, 4, 5, swapped=True), read(1, 6, 7)]
    assert list(judge_register(chain).operations) == chain


def test_a_value_that_nobody_wrote_was_not_possible_but_the_last_one_written_was():
    report = judge_register([write(1, 0, 1), read(7, 2, 3)])
    assert report.judgement is Judgement.VIOLATED
    assert report.possible == (1,)


def test_too_long_a_search_is_undecided_and_says_what_to_do():
    concurrent = [write(n, 0, 100, process=f"p{n}") for n in range(14)]
    wrong = [read(n, 101 + n, 101.5 + n) for n in (3, 4)]
    report = judge_register([*concurrent, *wrong], step_limit=1000)
    assert report.judgement is Judgement.UNDECIDED
    assert "register x: undecided after" in report.sentence


def test_states_are_not_tried_twice():
    """Without its memory, the search would try 12! orders of the writes before it gives up on the read."""
    concurrent = [write(n % 3, 0, 100, process=f"p{n}") for n in range(12)]
    assert judge_register([*concurrent, read(9, 101, 102)], step_limit=100_000).judgement is Judgement.VIOLATED


def test_writes_of_unknown_end_that_nobody_met_cost_nothing():
    unknown = [pending("write", n, 0.0) for n in range(200)]
    known = [write("a", 1, 2), read("a", 3, 4), write("b", 5, 6), read("a", 7, 8)]
    assert judge_register([*unknown, *known], step_limit=1000).judgement is Judgement.VIOLATED


def test_lists_are_values_too():
    assert judge_register([write([1], 0, 1), read([1], 2, 3)]).judgement is Judgement.HOLDS
    assert judge_register([write([1], 0, 1), read([2], 2, 3)]).judgement is Judgement.VIOLATED


def test_another_action_is_refused_by_name():
    with pytest.raises(LabsError, match=r"operation 'add x = 1': a register knows read, write, cas"):
        judge_register([op("p", "add", 1, 0, 1)])


@pytest.mark.parametrize("argument", [None, 1, (1, 2, 3)])
def test_a_cas_without_its_pair_is_refused(argument):
    with pytest.raises(LabsError, match=r"cas takes the pair \(expected, new\)"):
        judge_register([op("p", "cas", argument, 0, 1)])


def test_an_empty_history_holds():
    assert judge_register([]).judgement is Judgement.HOLDS
