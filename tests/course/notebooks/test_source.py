"""A source becomes two notebooks; a mistake in it is one sentence with its cell; the lab never shows the solution."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labsupport.course.notebooks import markers
from labsupport.course.notebooks.source import Flavour, build
from labsupport.errors import LabsError

PARAMETERS = '# %% tags=["parameters"]\nworkers = 2\n\n'
FUNCTION = '''# %% exercise="1.1"
def double(value):
    """Return twice the value."""
    # BEGIN SOLUTION
    result_of_doubling = value * 2  # both halves
    return result_of_doubling
    # END SOLUTION

'''
CHECK = '# %% tags=["check"]\nweek01.double.check(double)\n\n'
SCOREBOARD = "# %%\nscoreboard(week01.EXERCISES)\n"
WHOLE = PARAMETERS + FUNCTION + CHECK + SCOREBOARD


def value(text: str) -> str:
    """Return a source whose exercise is the given cell text."""
    return PARAMETERS + f'# %% exercise="1.2"\n{text}\n\n' + CHECK + SCOREBOARD


def sources(folder: Path, text: str, flavour: Flavour) -> list[str]:
    path = folder / "week01.py"
    path.write_text(text)
    return [cell.source for cell in build(path, flavour).cells]


def lab(folder: Path, text: str) -> list[str]:
    return sources(folder, text, "lab")


def test_a_function_becomes_a_stub_in_the_lab_and_stays_whole_in_the_solution(tmp_path: Path) -> None:
    assert lab(tmp_path, WHOLE)[1].splitlines() == [
        "def double(value):",
        '    """Return twice the value."""',
        "    # YOUR CODE HERE",
        '    raise NotImplementedError("exercise 1.1: your code here")',
    ]
    solution = sources(tmp_path, WHOLE, "solution")[1]
    assert "result_of_doubling = value * 2" in solution
    assert "SOLUTION" not in solution


@pytest.mark.parametrize(
    ("solved", "stub"),
    [
        ("batch = 37  # SOLUTION", "batch = ...  # YOUR ANSWER HERE"),
        ("batch: int = 37  # SOLUTION", "batch: int = ...  # YOUR ANSWER HERE"),
        ('# BEGIN SOLUTION\nwhy = """one\ntwo"""\n# END SOLUTION', "why = ...  # YOUR ANSWER HERE"),
        (
            "# BEGIN SOLUTION\nplan: dict[str, int] = {\n    'a': 1,\n}\nkeep = 3\n# END SOLUTION",
            "plan: dict[str, int] = ...  # YOUR ANSWER HERE\nkeep = ...  # YOUR ANSWER HERE",
        ),
    ],
)
def test_a_value_becomes_an_ellipsis(solved: str, stub: str, tmp_path: Path) -> None:
    assert lab(tmp_path, value(solved))[1] == stub
    compile(sources(tmp_path, value(solved), "solution")[1], "solution", "exec")


def test_a_prediction_becomes_an_ellipsis_without_being_an_exercise(tmp_path: Path) -> None:
    text = PARAMETERS + "# %%\nguess_ms = 12.5  # SOLUTION\n\n" + SCOREBOARD
    assert lab(tmp_path, text)[1] == "guess_ms = ...  # YOUR ANSWER HERE"
    assert sources(tmp_path, text, "solution")[1] == "guess_ms = 12.5"


def test_a_class_keeps_what_is_given_and_loses_what_is_solved(tmp_path: Path) -> None:
    text = (
        "class Router:\n    limit = 3\n\n    def route(self, load):\n        # BEGIN SOLUTION\n"
        "        return min(range(len(load)), key=load.__getitem__)\n        # END SOLUTION"
    )
    stub = lab(tmp_path, value(text))[1]
    assert "limit = 3" in stub
    assert '        raise NotImplementedError("exercise 1.2: your code here")' in stub


@pytest.mark.parametrize(("flavour", "kept"), [("lab", "for the lab"), ("solution", "why it is 37")])
def test_tagged_cells_appear_in_one_notebook(flavour: Flavour, kept: str, tmp_path: Path) -> None:
    tagged = '# %% [markdown] tags=["solution"]\n# why it is 37\n\n# %% [markdown] tags=["lab"]\n# for the lab\n\n'
    assert sources(tmp_path, PARAMETERS + tagged + SCOREBOARD, flavour)[1] == kept


def test_check_cells_are_tagged_for_nbval_and_nothing_of_jupytext_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "week01.py"
    path.write_text(WHOLE + "\n\n# %%\nx = 1\n\n\n\n# %%\nscoreboard(1)\n")
    notebook = build(path, "lab")
    assert notebook.cells[2].metadata.tags == ["check", "nbval-check-output"]
    assert {key for cell in notebook.cells for key in cell.metadata} == {"tags", "exercise"}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_ids_are_shared_by_both_notebooks_and_survive_an_inserted_cell(tmp_path: Path) -> None:
    path = tmp_path / "week01.py"
    ids = []
    inserted = PARAMETERS + "# %%\nx = 1\n\n" + WHOLE.removeprefix(PARAMETERS)
    flavours: list[tuple[str, Flavour]] = [(WHOLE, "lab"), (WHOLE, "solution"), (inserted, "lab")]
    for text, flavour in flavours:
        path.write_text(text)
        ids.append([cell.id for cell in build(path, flavour).cells])
    assert ids[0] == ids[1]
    assert [one for one in ids[2] if one in ids[0]] == ids[0]


def test_cells_of_equal_text_get_different_ids(tmp_path: Path) -> None:
    path = tmp_path / "week01.py"
    path.write_text(PARAMETERS + "# %%\nx = 1\n\n# %%\nx = 1\n\n" + SCOREBOARD)
    ids = [cell.id for cell in build(path, "lab").cells]
    assert ids[2] == f"{ids[1]}-2"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (WHOLE.replace("    # END SOLUTION\n", ""), r"cell 2 \(def double.* unclosed, nested or misplaced"),
        (WHOLE.replace("    # BEGIN SOLUTION\n", ""), "unclosed, nested or misplaced"),
        (WHOLE.replace("    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION\n" * 2), "unclosed, nested or misplaced"),
        (WHOLE.replace(' exercise="1.1"', ""), "belongs to an exercise; add exercise="),
        (WHOLE.replace("    # BEGIN SOLUTION\n", "").replace("    # END SOLUTION\n", ""), "without a solution marker"),
        (WHOLE.replace("exercise=", "excercise="), "unknown cell metadata excercise"),
        (WHOLE.replace('tags=["check"]', 'tags=["chek"]'), "unknown tag chek; known are check, lab, parameters"),
        (WHOLE.replace('exercise="1.1"', "exercise=1.1"), 'write week and number as text, such as exercise="3.2"'),
        (WHOLE.replace('exercise="1.1"', 'exercise="2.1"'), "exercise 2.1 names another week than its file"),
        (WHOLE.replace('["check"]', '["check", "lab"]'), "is in both notebooks; drop its tag"),
        (PARAMETERS + '# %% tags=["lab", "solution"]\nx = 1\n\n' + SCOREBOARD, "tagged lab and solution"),
        (PARAMETERS + "# %%\n\n# %%\nx = 1\n\n" + SCOREBOARD, r"cell 2 \(empty cell\); delete it"),
        (PARAMETERS + "# %% [raw]\n# x\n\n" + SCOREBOARD, "a raw cell; use code or markdown"),
        (PARAMETERS + FUNCTION + SCOREBOARD, r"cell 2 .*an exercise without a check cell"),
        (PARAMETERS + FUNCTION + FUNCTION + CHECK + SCOREBOARD, "without a check cell before the next exercise"),
        (
            PARAMETERS + CHECK + SCOREBOARD,
            r"cell 2 \(week01.double.check.*\): a check cell without an exercise",
        ),
        (PARAMETERS + FUNCTION + CHECK + CHECK + SCOREBOARD, "a check cell without an exercise cell before it"),
        (PARAMETERS + FUNCTION + CHECK + FUNCTION + CHECK + SCOREBOARD, "exercise 1.1 is there twice"),
        (FUNCTION + CHECK + SCOREBOARD, "no cell tagged parameters"),
        (PARAMETERS + PARAMETERS + SCOREBOARD, r"cells \[1, 2\] tagged parameters; there must be one"),
        (PARAMETERS + SCOREBOARD + "\n# %%\nx = 1\n", r"cell 3 \(x = 1\): the last code cell does not show"),
        (value("# BEGIN SOLUTION\nprint(1)\n# END SOLUTION"), "may hold only assignments to plain names"),
        (value("if True:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION"), "would raise at the top level"),
        (value("class A:\n    # BEGIN SOLUTION\n    x = 1\n    # END SOLUTION"), "would raise at the top level"),
        (value("def f():\n    x = 1  # SOLUTION\n    return x"), "stands inside a function"),
        (value("a, b = 1, 2  # SOLUTION"), "one plain name per"),
        (value("%time x\ny = 1  # SOLUTION"), "its stub is not Python"),
    ],
)
def test_a_mistake_in_a_source_is_one_sentence(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=complaint) as raised:
        lab(tmp_path, text)
    assert str(raised.value).startswith("week01.py, ") or str(raised.value).startswith("week01.py: ")
    assert "\n" not in str(raised.value)


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"week09.py: cannot be read"):
        build(tmp_path / "week09.py", "lab")


@pytest.mark.parametrize(
    "leak",
    [
        "# %% [markdown]\n# Hint: `result_of_doubling = value * 2`\n\n",
        "# %% [markdown]\n# Hint: result_of_doubling=value*2\n\n",
        "# %%\nresult_of_doubling  =  value * 2\n\n",
        '# %% tags=["lab"]\nreturn_result = "return result_of_doubling"\n\n',
    ],
)
def test_a_solution_line_shown_elsewhere_stops_the_build(leak: str, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"the lab shows what only the solution may: .*result_of_doubling"):
        lab(tmp_path, PARAMETERS + FUNCTION + CHECK + leak + SCOREBOARD)


@pytest.mark.parametrize("use", ["# %%\n_merge([1])\n\n", "# %% [markdown]\n# Write `_merge` first.\n\n"])
def test_a_helper_that_only_the_solution_defines_stops_the_build(use: str, tmp_path: Path) -> None:
    helper = FUNCTION.replace(
        "    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION\n    def _merge(parts):\n        return parts\n\n"
    )
    with pytest.raises(LabsError, match="_merge"):
        lab(tmp_path, PARAMETERS + helper + CHECK + use + SCOREBOARD)


def test_the_model_answer_of_a_solution_cell_stops_the_build_when_the_lab_repeats_it(tmp_path: Path) -> None:
    text = (
        '# %% [markdown] tags=["solution"]\n# The third replica is the slow one.\n\n'
        "# %% [markdown]\n# Note: The third replica is the slow one.\n\n"
    )
    with pytest.raises(LabsError, match="third replica"):
        lab(tmp_path, PARAMETERS + text + SCOREBOARD)


def test_imports_and_short_lines_may_stand_in_both(tmp_path: Path) -> None:
    shared = "    import itertools as it\n    x = 1\n"
    text = WHOLE.replace("    # BEGIN SOLUTION\n", "    # BEGIN SOLUTION\n" + shared)
    lab(tmp_path, PARAMETERS + "# %%\nimport itertools as it\nx = 1\n\n" + text.removeprefix(PARAMETERS))


LINES = st.lists(
    st.text(alphabet="abcdefgh_", min_size=16, max_size=30).map(lambda name: f"{name} = {name[::-1]} + 1"),
    min_size=1,
    max_size=6,
)


@given(body=LINES, given_lines=LINES)
def test_no_long_line_of_any_solution_survives_in_its_stub(body: list[str], given_lines: list[str]) -> None:
    secret = [line for line in body if line not in given_lines]
    cell = "\n".join(
        ["def f():", *(f"    {line}" for line in given_lines), "    # BEGIN SOLUTION"]
        + [f"    {line}" for line in secret]
        + ["    # END SOLUTION"]
    )
    stub = markers.to_lab(cell, "1.1")
    assert set(markers.secret_lines(cell)) == set(secret)
    assert not markers.leaks(stub, set(secret), set()) or any(
        line in given_line for line in secret for given_line in given_lines
    )
    assert all(line in stub for line in given_lines)
    compile(stub, "stub", "exec")
    assert [line.strip() for line in markers.to_solution(cell).splitlines()[1:]] == [*given_lines, *secret]
