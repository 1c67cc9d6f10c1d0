"""A valid schedule runs with the bubble and the memory of its paper; one that cannot run is refused for its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.training.parallel.pipeline_schedule import (
    Action,
    Pass,
    ScheduleError,
    bubble_fraction,
    gpipe,
    one_forward_one_backward,
    validate,
)

stages = st.integers(1, 8)
micro_batches = st.integers(1, 24)
F, B = Pass.FORWARD, Pass.BACKWARD


@given(p=stages, m=micro_batches)
def test_both_schedules_run_with_the_bubble_of_the_formula(p, m):
    for schedule in (gpipe(p, m), one_forward_one_backward(p, m)):
        assert validate(schedule).bubble == pytest.approx(bubble_fraction(p, m))


@given(p=stages, m=micro_batches)
def test_gpipe_holds_every_micro_batch_and_1f1b_at_most_as_many_as_stages_are_left(p, m):
    assert validate(gpipe(p, m)).peak_activations == (m,) * p
    assert validate(one_forward_one_backward(p, m)).peak_activations == tuple(min(m, p - stage) for stage in range(p))


@given(p=st.integers(2, 5), m=st.integers(2, 6), data=st.data())
def test_dependencies_hold_at_every_tick(p, m, data):
    schedule = data.draw(st.sampled_from([gpipe(p, m), one_forward_one_backward(p, m)]))
    run = validate(schedule)
    began = [dict(zip(actions, ticks, strict=True)) for actions, ticks in zip(schedule, run.started, strict=True)]
    for stage in range(1, p):
        for micro_batch in range(m):
            assert began[stage][Action(F, micro_batch)] > began[stage - 1][Action(F, micro_batch)]
            assert began[stage - 1][Action(B, micro_batch)] > began[stage][Action(B, micro_batch)]
            assert began[stage][Action(B, micro_batch)] > began[stage][Action(F, micro_batch)]


def actions(text: str) -> list[Action]:
    return [Action(Pass(word[0]), int(word[1:])) for word in text.split()]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (["F0 B0 F1 B1", "F0 F1 B0 B1"], "deadlock after 2 actions: stage 0 waits to do B0; stage 1 waits to do F1"),
        (["F0 B0", "F0 B0 B0"], "stage 1 does B0 more than once"),
        (["F0 B0", "F0"], "stage 1 misses or does not know B0"),
        (["F0 B0", "F0 B0 F1 B1"], "stage 1 misses or does not know B1, F1"),
        (["B0 F0"], "stage 0 does B0 before F0"),
        ([], "no stage"),
        ([""], "nothing to do"),
    ],
)
def test_a_schedule_that_cannot_run_is_refused_for_its_reason(schedule, said):
    with pytest.raises(ScheduleError, match=said):
        validate([actions(stage) for stage in schedule])


def test_no_stage_and_no_micro_batch_are_refused():
    for call in (gpipe, one_forward_one_backward, bubble_fraction):
        with pytest.raises(LabsError, match="at least 1 of each"):
            call(0, 4)
        with pytest.raises(LabsError, match="at least 1 of each"):
            call(4, 0)
