"""The goal chooses the path; a placement adds the reading that the path needs, and no other."""

from __future__ import annotations

import pytest

from labsupport.course import catalog
from labsupport.course.recommendation import recommend
from labsupport.errors import LabsError
from labsupport.introduction import quiz


def all_rated(rating: int) -> dict[str, int]:
    return {item.id: rating for item in quiz.ITEMS}


@pytest.mark.parametrize(("goal", "number"), [("complete", 1), ("training", 2), ("serving", 3), ("platform", 4)])
def test_the_goal_chooses_the_path(goal: str, number: int) -> None:
    for rating in (1, 5):
        assert recommend(quiz.place(all_rated(rating)), goal).path is catalog.learning_path(number)


def test_a_recommendation_names_only_the_reading_of_its_own_path() -> None:
    hole = quiz.place(all_rated(5) | {item.id: 1 for item in quiz.GROUPS[2].items})
    assert recommend(hole, "training").reading_projects == ("201",)
    assert recommend(hole, "platform").reading_projects == ()
    assert recommend(hole, "training").sentence == (
        "path 2, Training specialist: 140 h, after the prerequisite reading of 201"
    )
    assert recommend(quiz.place(all_rated(1)), "serving").sentence.startswith("the Engineer track, then path 3")


def test_an_unknown_goal_is_named_with_those_there_are() -> None:
    with pytest.raises(LabsError, match="goal 'research': no path has this goal; choose one of complete,"):
        recommend(quiz.place(all_rated(3)), "research")
