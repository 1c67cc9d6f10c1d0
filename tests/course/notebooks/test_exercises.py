"""The prose shows the exercises of the check file, once, before their cells; a mistake is one line with its cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from labsupport.course.notebooks.exercises import exercises_of
from labsupport.course.notebooks.source import Flavour, build
from labsupport.errors import LabsError

CHECKS = """
from labsupport import Criterion, Exercise

double = Exercise("1.1", "Twice", 5, (Criterion("doubles", "`f(2)` is 4", lambda f: f(2) == 4),), lambda v: 2 * v, ())
largest = Exercise(
    "1.2", "The largest", 15,
    (Criterion("fits", "it fits", lambda n: n < 38), Criterion("most", "none larger fits", lambda n: n > 36)), 37, (),
)
EXERCISES = (double, largest)
"""

PROSE = """# %% [markdown]
# ## 1 · Doubling
#
# {exercise 1.1}
#
# Judged by:
#
# {criteria 1.1}

"""
DOUBLE = """# %% exercise="1.1"
def double(value):
    # BEGIN SOLUTION
    return value * 2
    # END SOLUTION

# %% tags=["check"]
week01.double.check(double)

"""
PROSE_2 = "# %% [markdown]\n# {exercise 1.2}\n\n# %% [markdown]\n# {criteria 1.2}\n\n"
LARGEST = '# %% exercise="1.2"\nn = 37  # SOLUTION\n\n# %% tags=["check"]\nweek01.largest.check(n)\n\n'
START = '# %% tags=["parameters"]\nworkers = 2\n\n'
END = "# %%\nscoreboard(week01.EXERCISES)\n"
SOURCE = START + PROSE + DOUBLE + PROSE_2 + LARGEST + END


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for folder, text in (("checks", CHECKS), ("solutions", SOURCE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "week01.py").write_text(text)
    return tmp_path / "solutions" / "week01.py"


def checks_of(source: Path) -> Path:
    return source.parent.parent / "checks" / source.name


@pytest.mark.parametrize("flavour", ["lab", "solution"])
def test_markers_become_the_heading_and_the_criteria_in_both_notebooks(source: Path, flavour: Flavour) -> None:
    cells = build(source, flavour).cells
    assert cells[1].source.splitlines() == [
        "## 1 · Doubling",
        "",
        "### Exercise 1.1 · Twice (5 minutes)",
        "",
        "Judged by:",
        "",
        "* `f(2)` is 4",
    ]
    assert [cell.source for cell in cells[4:6]] == [
        "### Exercise 1.2 · The largest (15 minutes)",
        "* it fits\n* none larger fits",
    ]


def test_a_cell_keeps_its_id_when_a_criterion_is_worded_differently(source: Path) -> None:
    before = build(source, "lab").cells
    checks_of(source).write_text(CHECKS.replace("it fits", "it is small enough"))
    after = build(source, "lab").cells
    assert [cell.id for cell in before] == [cell.id for cell in after]
    assert "it is small enough" in after[5].source


def test_the_checks_are_those_beside_the_source_and_no_module_is_left_behind(source: Path) -> None:
    import sys

    before = set(sys.modules)
    week = exercises_of(source)
    assert week is not None
    assert [exercise.title for exercise in week.exercises] == ["Twice", "The largest"]
    assert {name for name in set(sys.modules) - before if "week01" in name} == set()


@pytest.mark.parametrize(
    ("change", "to", "complaint"),
    [
        ("{exercise 1.1}", "{exercise 1.3}", r"cell 2 \(## 1 · Doubling\): {exercise 1.3} is unknown; .* has 1.1, 1.2"),
        ("{exercise 1.1}", "{exercises 1.1}", r"{exercises 1.1} is not a marker"),
        ("{criteria 1.1}", "{criterion 1.1}", r"{criterion 1.1} is not a marker"),
        ("{criteria 1.1}", "{criteria}", r"{criteria} is not a marker"),
        ("{criteria 1.1}", "* {criteria 1.1}", r"{criteria 1.1} is not a marker; .* on a line of its own"),
        ("Judged by:", "See {exercise 1.1}", r"{exercise 1.1} is not a marker; .* on a line of its own"),
        ("{exercise 1.1}", "Doubling", r"cell 3 .*shows {exercise 1.1} never"),
        ("{criteria 1.1}", "It doubles.", r"cell 3 .*shows {criteria 1.1} never"),
        ("{criteria 1.1}", "{criteria 1.1}\n#\n# {criteria 1.1}", r"shows {criteria 1.1} 2 times"),
        ("{exercise 1.1}\n#\n# Judged by:\n#\n# {criteria 1.1}", "{criteria 1.1}\n#\n# {exercise 1.1}", "stands above"),
        ("{criteria 1.1}", "{criteria 1.2}", r"{criteria 1.2} stands before the cell of exercise 1.1"),
        ("[markdown]\n# ## 1", '[markdown] tags=["lab"]\n# ## 1', "in one notebook only; drop the cell's tag"),
        ("workers = 2\n", 'text = """\n{exercise 1.1}\n"""\nworkers = 2\n', "stands in a code cell"),
        (END, "# %% [markdown]\n# {exercise 1.1}\n\n" + END, r"{exercise 1.1} stands behind the cell of its exercise"),
        ("week01.double.check(", "week01.largest.check(", r"does not call week01.double.check\("),
        (PROSE_2 + LARGEST, "", r"its cells are exercises 1.1, EXERCISES of checks/week01.py are 1.1, 1.2"),
        (PROSE + DOUBLE + PROSE_2 + LARGEST, PROSE_2 + LARGEST + PROSE + DOUBLE, "its cells are exercises 1.2, 1.1,"),
        ('exercise="1.2"', 'exercise="1.4"', r"{exercise 1.2} stands before the cell of exercise 1.4"),
    ],
)
def test_a_mistake_in_a_marker_is_one_line_with_its_cell(source: Path, change: str, to: str, complaint: str) -> None:
    assert SOURCE.count(change) >= 1
    source.write_text(SOURCE.replace(change, to, 1))
    with pytest.raises(LabsError, match=complaint) as raised:
        build(source, "lab")
    assert str(raised.value).startswith("week01.py")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "to", "complaint"),
    [
        ("EXERCISES = (double, largest)", "", "define EXERCISES, a tuple of the week's Exercise objects"),
        ("(double, largest)", "[double, largest]", "define EXERCISES, a tuple"),
        ("(double, largest)", '("1.1", "1.2")', "define EXERCISES, a tuple"),
        ("(double, largest)", "(double,)", r"EXERCISES leaves out exercise 1.2"),
        ("(double, largest)", "(double, double)", "two exercises have the id 1.1"),
        ("(double, largest)", "(double, largest)\ndel double", "exercise 1.1 has no name of its own"),
        ('"1.2"', '"2.2"', "exercise 2.2 names another week than its file"),
        ('"fits", "it', '"most", "it', "cannot be loaded .AssertionError: Exercise 1.2 uses a reason code twice"),
        ("from labsupport import", "from labsuport import", "cannot be loaded .ModuleNotFoundError: .*labsuport"),
    ],
)
def test_a_mistake_in_the_check_file_is_one_line(source: Path, change: str, to: str, complaint: str) -> None:
    assert change in CHECKS
    checks_of(source).write_text(CHECKS.replace(change, to))
    with pytest.raises(LabsError, match=rf"^checks/week01.py: .*{complaint}"):
        build(source, "lab")


def test_a_source_without_a_check_file_is_built_as_long_as_it_has_no_marker(source: Path) -> None:
    checks_of(source).unlink()
    with pytest.raises(LabsError, match=r"{exercise 1.1} is unknown; .* the file is missing"):
        build(source, "lab")
    source.write_text(START + DOUBLE + END)
    assert len(build(source, "lab").cells) == 4
