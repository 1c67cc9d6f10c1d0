"""Nineteen ratings give one score, one band, the holes that a total hides, and nothing that Go decides."""

from __future__ import annotations

import asyncio
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.errors import LabsError
from labsupport.introduction import quiz

ratings = st.fixed_dictionaries({item.id: st.integers(1, 5) for item in quiz.ITEMS})
GO = "go"


def all_rated(rating: int, **others: int) -> dict[str, int]:
    return {item.id: rating for item in quiz.ITEMS} | others


def group_of(placement: quiz.Placement, group_id: str) -> quiz.GroupScore:
    return next(item for item in placement.groups if item.group.id == group_id)


def rated_buttons(box):
    return [row.children[1] for row in box.children if len(getattr(row, "children", ())) == 2]


def test_there_are_19_items_in_four_groups() -> None:
    assert [len(group.items) for group in quiz.GROUPS] == [5, 5, 5, 4]
    assert [group.maximum for group in quiz.GROUPS] == [25, 25, 25, 20]
    assert [group.hole_below for group in quiz.GROUPS] == [13, 13, 13, 10]
    assert len({item.id for item in quiz.ITEMS}) == 19
    assert (quiz.MINIMUM, quiz.MAXIMUM) == (19, 95)


def test_every_score_maps_to_exactly_one_band() -> None:
    for score in range(19, 96):
        assert [band for band in quiz.BANDS if band.low <= score <= band.high] == [quiz.band_of(score)]


def test_the_bands_are_the_corrected_ones() -> None:
    assert [(band.low, band.high) for band in quiz.BANDS] == [(19, 44), (45, 59), (60, 80), (81, 95)]


@pytest.mark.parametrize("score", [18, 96])
def test_a_score_that_no_answers_give_has_no_band(score: int) -> None:
    with pytest.raises(LabsError, match=f"score {score}: 19 answers of 1 to 5 give 19 to 95"):
        quiz.band_of(score)


@given(ratings, st.sampled_from(quiz.ITEMS))
def test_changing_an_answer_by_one_moves_the_score_by_one(answers, item) -> None:
    step = 1 if answers[item.id] < 5 else -1
    changed = answers | {item.id: answers[item.id] + step}
    assert quiz.score(changed) == quiz.score(answers) + step


@given(ratings)
def test_the_score_is_the_sum_of_the_groups_and_lies_in_its_band(answers) -> None:
    placement = quiz.place(answers)
    assert placement.score == quiz.score(answers) == sum(item.points for item in placement.groups)
    assert placement.band.low <= placement.score <= placement.band.high


@pytest.mark.parametrize(
    ("answers", "band"),
    [
        (all_rated(1), "engineer-track"),
        (all_rated(3), "recommended"),
        (all_rated(4), "ready"),
        (all_rated(5), "fast-route"),
    ],
)
def test_a_learner_is_placed_by_the_total(answers, band) -> None:
    assert quiz.place(answers).band.id == band


@pytest.mark.parametrize(
    ("group", "projects"),
    [
        ("infrastructure", ("203", "204")),
        ("distributed-systems", ("201", "203")),
        ("ml", ("201", "202")),
        ("programming", ("201", "202", "203", "204")),
    ],
)
def test_a_hole_adds_the_reading_of_the_projects_that_need_it_whatever_the_total(group, projects) -> None:
    items = next(item for item in quiz.GROUPS if item.id == group).items
    placement = quiz.place(all_rated(5) | {item.id: 2 for item in items})
    assert placement.score >= 60
    assert [item.group.id for item in placement.reading] == [group]
    assert placement.reading_projects == projects


def test_half_of_the_maximum_is_no_hole_and_one_point_less_is() -> None:
    thirteen = {"kubernetes": 3, "containers": 3, "infrastructure-as-code": 3, "ci-cd": 2, "observability": 2}
    assert not group_of(quiz.place(all_rated(5) | thirteen), "infrastructure").hole
    assert group_of(quiz.place(all_rated(5) | thirteen | {"kubernetes": 2}), "infrastructure").hole
    ten = {"python": 3, "go": 2, "bash": 3, "formats": 2}
    assert not group_of(quiz.place(all_rated(5) | ten), "programming").hole
    assert group_of(quiz.place(all_rated(5) | ten | {"bash": 2}), "programming").hole


def test_in_the_second_band_the_weakest_group_is_read_first() -> None:
    placement = quiz.place(all_rated(3, training=2))
    assert placement.band.id == "recommended"
    assert [item.group.id for item in placement.reading] == ["ml"]


def test_in_the_third_band_only_holes_are_read() -> None:
    assert quiz.place(all_rated(4, training=3)).reading == ()


@given(ratings)
def test_go_opens_no_hole_and_makes_no_group_the_weakest(answers) -> None:
    low, high = quiz.place(answers | {GO: 1}), quiz.place(answers | {GO: 5})
    assert high.score == low.score + 4
    required = [answers[item] for item in ("python", "bash", "formats")]
    if sum(required) * 2 >= 15:
        assert not group_of(low, "programming").hole
    if low.band == high.band:
        assert {item.group.id for item in low.reading} - {"programming"} == {item.group.id for item in high.reading} - {
            "programming"
        }


def test_a_group_that_is_low_only_because_of_go_is_no_hole() -> None:
    answers = all_rated(5) | {"python": 3, "go": 1, "bash": 3, "formats": 2}
    programming = group_of(quiz.place(answers), "programming")
    assert (programming.points, programming.hole) == (9, False)


@pytest.mark.parametrize("answer", [0, 6, -1, 2.5, 3.0, True, "3", [3]])
def test_a_rating_that_is_not_allowed_is_named(answer) -> None:
    with pytest.raises(
        LabsError, match=re.escape(f"item 'bash': {answer!r} is not a rating; allowed are whole numbers 1 to 5")
    ):
        quiz.place(all_rated(3) | {"bash": answer})


@pytest.mark.parametrize("answers", [{}, quiz.answers_template(), {"kubernetes": ...}])
def test_an_unanswered_item_is_named(answers) -> None:
    with pytest.raises(LabsError, match="item 'kubernetes': not answered; give a whole number from 1 to 5"):
        quiz.score(answers)


def test_an_unknown_item_is_named_with_those_there_are() -> None:
    with pytest.raises(LabsError, match="item 'rust': not in the quiz; its items are kubernetes, containers"):
        quiz.score(all_rated(3, rust=5))


def test_numpy_integers_are_ratings() -> None:
    assert quiz.score({item.id: np.int64(3) for item in quiz.ITEMS}) == 57


def test_the_template_has_every_item_unanswered() -> None:
    assert quiz.answers_template() == {item.id: None for item in quiz.ITEMS}


def test_a_placement_is_shown_as_text_and_as_html() -> None:
    bundle = quiz.place(all_rated(5, bash=1, python=1, formats=1, go=1))._repr_mimebundle_()
    for shown in bundle.values():
        assert "79 of 95" in shown
        assert "Before projects 201, 202, 203, 204" in shown
        assert "53 and 71 of 95" in shown
    assert "4 of 20" in bundle["text/plain"]
    assert ">below half (10)</td>" in bundle["text/html"]


def test_each_group_has_one_diagnostic() -> None:
    assert list(quiz.DIAGNOSTICS) == [group.id for group in quiz.GROUPS]


@pytest.mark.parametrize(
    ("group", "right", "wrong"),
    [
        ("infrastructure", 2, [3, 2.5, 0, "two", None, True]),
        ("distributed-systems", 3, [2, 4, 5, None]),
        ("ml", 8, [4, 16, 2, "8 GiB", ...]),
        ("programming", "b1 a1 b2 a2", ["a1 b1 a2 b2", "b1 b2 a1 a2", "", None, 1]),
    ],
)
def test_a_diagnostic_accepts_what_running_it_gives_and_nothing_else(group, right, wrong) -> None:
    assert quiz.diagnose(group, right)
    assert [answer for answer in wrong if quiz.diagnose(group, answer)] == []


def test_words_count_whatever_their_case_and_spacing() -> None:
    assert quiz.diagnose("programming", "  B1 a1\n b2 A2 ")


@pytest.mark.parametrize("group", ["infrastructure", "distributed-systems", "ml"])
def test_an_explanation_states_the_answer_that_running_gives(group: str) -> None:
    diagnostic = quiz.DIAGNOSTICS[group]
    assert re.search(rf"\b{diagnostic.run():g}\b", diagnostic.explanation)


def test_the_question_shows_the_code_that_is_run() -> None:
    bundle = quiz.DIAGNOSTICS["programming"]._repr_mimebundle_()
    assert "await worker(&quot;b&quot;, log)" in bundle["text/html"]
    assert 'await worker("b", log)' in bundle["text/plain"]


def test_the_programming_diagnostic_runs_where_an_event_loop_already_runs() -> None:
    async def cell() -> bool:
        return quiz.diagnose("programming", "b1 a1 b2 a2")

    assert asyncio.run(cell())


def test_an_unknown_group_is_named() -> None:
    with pytest.raises(LabsError, match="group 'security': no diagnostic; choose one of infrastructure"):
        quiz.diagnose("security", 1)


def test_the_widget_places_once_all_items_are_answered() -> None:
    placements: list[quiz.Placement] = []
    box = quiz.widget(placements.append)
    buttons = rated_buttons(box)
    assert len(buttons) == 19
    assert {button.value for button in buttons} == {None}
    for number, button in enumerate(buttons, start=1):
        assert placements == []
        button.value = 3
        if number < 19:
            assert box.children[-1].value == f"{number} of 19 answered"
    assert [placement.score for placement in placements] == [57]
    buttons[0].value = 4
    assert placements[-1].score == 58


def test_without_ipywidgets_the_plain_dictionary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(LabsError, match=r"ipywidgets: not installed; fill in quiz.answers_template\(\)"):
        quiz.widget(lambda placement: None)
