"""A week is added by its source, its checks, its catalogue entry, its metrics and its tests, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from labsupport.course import catalog
from labsupport.course.notebooks import builder
from labsupport.course.notebooks.exercises import exercises_of
from labsupport.course.notebooks.notebook_file import read_notebook
from labsupport.course.runs.grade import grade_week

WEEK = 9
SOURCE = '''# %% [markdown]
# # Week 9 · A throw-away week
#
# {exercise 9.1}
#
# {criteria 9.1}

# %% tags=["parameters"]
regions = 3

# %%
from checks import week09
from labsupport import Kind, record, scoreboard
from labsupport.regions import metrics

# %% exercise="9.1"
def nearest(latencies_ms: dict[str, float]) -> str:
    """Return the region with the lowest latency."""
    # BEGIN SOLUTION
    return min(latencies_ms, key=latencies_ms.get)
    # END SOLUTION


# %% tags=["check"]
week09.nearest.check(nearest)

# %% [markdown]
# {exercise 9.2}
#
# {criteria 9.2}

# %% exercise="9.2"
# BEGIN SOLUTION
lag = {"metric": "regions.lag_max_s"}
# END SOLUTION

# %% tags=["check"]
week09.lag.check(lag)

# %%
record(metrics.LOST_OBJECTS, 0, Kind.MEASURED, n=regions)

# %%
scoreboard(week09.EXERCISES)
'''
CHECKS = '''"""Week 9: a throw-away week."""

import random

from labsupport import Criterion, Exercise, Wrong, seeds


def _lowest(answer):
    for seed in seeds(5):
        draw = random.Random(seed)
        latencies = {region: draw.uniform(1, 300) for region in ("us-east", "eu-west", "ap-south")}
        if answer(dict(latencies)) != sorted(latencies, key=latencies.get)[0]:
            return False
    return True


nearest = Exercise(
    "9.1", "The nearest region", 10,
    criteria=(Criterion("lowest", "the region with the lowest latency is named", _lowest, hint="min takes a key"),),
    reference=lambda latencies_ms: min(latencies_ms, key=latencies_ms.get),
    wrong=(Wrong("takes the first by name", min, "lowest"),),
)
lag = Exercise(
    "9.2", "Which number?", 5,
    criteria=(Criterion("metric", "the metric of the criterion is named",
                        lambda given: given["metric"] == "regions.lag_max_s", hint="the criterion says less than"),),
    reference={"metric": "regions.lag_max_s"},
    wrong=(Wrong("takes the median", {"metric": "regions.lag_p50_s"}, "metric"),),
)
EXERCISES = (nearest, lag)
'''


@pytest.fixture
def with_new_week(clone: Path) -> Path:
    (clone / "solutions" / "week09.py").write_text(SOURCE)
    (clone / "checks" / "week09.py").write_text(CHECKS)
    return clone


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_two_files_make_a_lab_whose_prose_comes_from_the_exercises(with_new_week):
    before = files(with_new_week)
    written = builder.write_stale(with_new_week, execute=False)
    assert [stale.file.name for stale in written] == ["week09.ipynb"]
    after = files(with_new_week)
    assert set(after) - set(before) == {"labs/week09.ipynb"}
    assert {name for name in before if before[name] != after[name]} == set(), "no other file is touched"
    lab = read_notebook(with_new_week / "labs" / "week09.ipynb")
    prose = "\n".join(cell.source for cell in lab.cells if cell.cell_type == "markdown")
    assert "### Exercise 9.1 · The nearest region (10 minutes)" in prose
    assert "* the region with the lowest latency is named" in prose
    assert "min(latencies_ms" not in "\n".join(cell.source for cell in lab.cells)


def test_the_catalogue_already_names_its_title_and_its_criteria(with_new_week):
    week = exercises_of(with_new_week / "solutions" / "week09.py")
    assert week.ids == ["9.1", "9.2"]
    assert catalog.week(WEEK).title
    assert catalog.criteria_for(WEEK)


@pytest.mark.slow
def test_its_solution_passes_and_its_criteria_are_judged_from_what_it_recorded(with_new_week):
    assert [stale.file.name for stale in builder.write_stale(with_new_week, weeks=[WEEK])] == ["week09.ipynb"] * 2
    assert builder.problems(with_new_week, weeks=[WEEK]) == ()
    grade = grade_week(
        WEEK, with_new_week / "solutions" / "week09.ipynb", hidden_seeds=5, root=with_new_week, profile="smoke"
    )
    assert [(one.name, one.status) for one in grade.exercises] == [
        ("9.1 · The nearest region", "passed"),
        ("9.2 · Which number?", "passed"),
    ]
    sentences = " ".join(judged.sentence for judged in grade.criteria)
    assert "regions.lost_objects is 0 objects, measured" in sentences
