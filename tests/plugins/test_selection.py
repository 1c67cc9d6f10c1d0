"""`--week` chooses what belongs to a week, and the second run of every notebook waits until it is asked for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from selection import PACKAGES, chosen

from labsupport.course import catalog
from labsupport.errors import LabsError

TESTS = Path("/tests")


class Item:
    """What a selection looks at in a test."""

    def __init__(self, path: str, marker: str = "", **parameters: object) -> None:
        self.path, self.marker = TESTS / path, marker
        if parameters:
            self.callspec = SimpleNamespace(params=parameters)

    def get_closest_marker(self, name: str) -> object:
        return name if name == self.marker else None


LAB_1 = Item("notebooks/test_labs.py", week=1)
LAB_7 = Item("notebooks/test_labs.py", week=7)
AGAIN_7 = Item("notebooks/test_labs.py", "cross", week=7)
CHECK_1 = Item("checks/test_weeks.py", exercise=SimpleNamespace(week=1))
CHECK_7 = Item("checks/test_weeks.py", exercise=SimpleNamespace(week=7))
TRAINING = Item("training/data/test_hub.py")
SERVING = Item("serving/test_router.py")
RECEIPTS = Item("receipts/test_ledger.py")
ALL = [LAB_1, LAB_7, AGAIN_7, CHECK_1, CHECK_7, TRAINING, SERVING, RECEIPTS]


def test_without_a_choice_every_test_runs_but_a_notebooks_second_run():
    assert chosen(ALL, TESTS, None, False) == [item for item in ALL if item is not AGAIN_7]
    assert chosen(ALL, TESTS, None, True) == ALL


def test_a_week_chooses_its_notebooks_its_checks_and_the_tests_of_its_package():
    assert chosen(ALL, TESTS, 7, False) == [LAB_7, CHECK_7, SERVING]
    assert chosen(ALL, TESTS, 7, True) == [LAB_7, AGAIN_7, CHECK_7, SERVING]
    assert chosen(ALL, TESTS, 1, False) == [LAB_1, CHECK_1, TRAINING]


def test_a_week_that_is_not_in_the_catalogue_is_refused():
    with pytest.raises(LabsError, match="99"):
        chosen(ALL, TESTS, 99, False)


def test_every_project_of_the_catalogue_has_its_folder_of_tests():
    assert {week.project for week in catalog.WEEKS} == set(PACKAGES)
