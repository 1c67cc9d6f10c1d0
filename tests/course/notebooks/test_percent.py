"""Every line of a source is a line of its notebook, or is refused by its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labsupport.course.notebooks.percent import read_percent
from labsupport.errors import LabsError

HEADER = "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: percent\n# ---\n\n"


def cells(folder: Path, text: str) -> list[str]:
    path = folder / "week07.py"
    path.write_text(text)
    return [cell.source for cell in read_percent(path).cells]


@pytest.mark.parametrize(
    "line",
    [
        "# copy the weights of rank 0 to the others",
        "# cat and dog are the classes",
        "# ls",
        "# mv = median value",
        "# !pip would be needed",
        "# %timeit would say how long",
        "# %%time",
        "# %%bash",
        "# ?help",
        "# %load_ext is not used",
        "#%matplotlib inline",
        "# get_ipython().system('ls')",
        "x = 2  # %time",
        "# # %% no cell of its own",
        "#",
        "#!shebang",
        "# + not a cell of another format",
        "# export WORKERS=2",
    ],
)
@pytest.mark.parametrize("header", ["", HEADER])
def test_a_comment_stays_a_comment(line: str, header: str, tmp_path: Path) -> None:
    assert cells(tmp_path, f"{header}# %%\nx = 1\n{line}\n\n# %%\n{line}\nif x:\n    {line}\n    pass\n") == [
        f"x = 1\n{line}",
        f"{line}\nif x:\n    {line}\n    pass",
    ]


words = st.text(alphabet="abcdefghijklmnopqrstuvwxyz%!?#+-=:'._ ", max_size=20).map(str.rstrip)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(comments=st.lists(words, min_size=1, max_size=5))
def test_any_comment_is_kept_as_it_is_or_refused_by_its_line(comments: list[str], tmp_path: Path) -> None:
    body = ["x = 1", *(f"# {comment}".rstrip() for comment in comments), "y = 2"]
    try:
        found = cells(tmp_path, "\n".join(["# %%", *body]) + "\n")
    except LabsError as error:
        found, said = [], str(error)
    else:
        said = ""
    kept = [line for cell in found for line in cell.splitlines()]
    assert said.startswith("week07.py, line ") or kept == [
        line for line in body if line in kept or not line.lstrip("# ").startswith("%%")
    ]


def test_prose_may_speak_of_commands_and_a_marker_in_a_string_is_text(tmp_path: Path) -> None:
    prose = "# %% [markdown]\n# # Week 7\n#\n# !pip and %timeit are not run.\n#no space\n\n"
    code = '# %%\ntext = """\n# %%\n# copy this\n"""\n'
    assert cells(tmp_path, prose + code) == [
        "# Week 7\n\n!pip and %timeit are not run.\nno space",
        'text = """\n# %%\n# copy this\n"""',
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("# %% [markdown]\n# Prose.\n\nx = 1\n", r"line 4 \(x = 1\): a line of a markdown cell begins with #"),
        ("# %% [markdown]\n'''\nProse.\n'''\n", r"line 2 \('''\): the notebook would say"),
        (HEADER + '# %% language="bash"\n# ls\n', r"line 9 \(# ls\): the notebook would say '%%bash'"),
    ],
)
def test_what_the_notebook_would_change_is_refused_by_its_line(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=f"^week07.py, {complaint}") as raised:
        cells(tmp_path, text)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "week07.py"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabsError, match=r"week07.py: cannot be read as a py:percent source"):
        read_percent(path)
