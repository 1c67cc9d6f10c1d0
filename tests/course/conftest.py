"""A clone of the course small enough to run in seconds: one week, two exercises."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labsupport.course.notebooks import builder
from labsupport.course.notebooks.notebook_file import write_notebook
from labsupport.course.notebooks.source import build
from labsupport.course.runs.runner import RunResult, run_week

SOURCE = '''# %% [markdown]
# # Week 1
#
# {exercise 1.1}
#
# {criteria 1.1}

# %% tags=["parameters"]
workers = 2

# %%
import sys
from pathlib import Path

from checks import week01
from labsupport.course.grading.scoreboard import scoreboard

print("workers", workers, "home", Path.home() / "data", "course", Path(week01.__file__))
print("\\x1b[31mred\\x1b[0m", object())
print("a warning of some library", file=sys.stderr)

# %% exercise="1.1"
def double(value):
    """Return twice the value."""
    # BEGIN SOLUTION
    result_of_doubling = value * 2
    return result_of_doubling
    # END SOLUTION


# %% tags=["check"]
week01.double.check(double)

# %% [markdown]
# {exercise 1.2}
#
# {criteria 1.2}

# %% exercise="1.2"
largest_batch = 37  # SOLUTION

# %% tags=["check"]
week01.largest.check(largest_batch)

# %%
scoreboard(week01.EXERCISES)
'''

CHECKS = '''"""Graders of the tiny week."""

from labsupport import Criterion, Exercise, Wrong, seeds


def _doubles(answer):
    return all(answer(seed) == 2 * seed for seed in seeds(3))


double = Exercise(
    "1.1",
    "Twice",
    5,
    criteria=(Criterion("doubles", "it doubles", _doubles, hint="try 3"),),
    reference=lambda value: value * 2,
    wrong=(Wrong("squares", lambda value: value**2, "doubles"),),
)
largest = Exercise(
    "1.2",
    "The largest batch",
    5,
    criteria=(Criterion("fits", "it is 37", lambda n: n == 37),),
    reference=37,
    wrong=(Wrong("rounds up", 38, "fits"),),
)
EXERCISES = (double, largest)
'''


def write_clone(root: Path) -> Path:
    """Write the sources of the clone, without notebooks."""
    for folder in ("labs", "solutions", "checks"):
        (root / folder).mkdir(parents=True)
    (root / "solutions" / "week01.py").write_text(SOURCE)
    (root / "checks" / "__init__.py").write_text("")
    (root / "checks" / "week01.py").write_text(CHECKS)
    return root


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone whose lab is built and whose solution was never executed."""
    root = write_clone(tmp_path / "clone")
    builder.write_stale(root, execute=False)
    write_notebook(build(root / "solutions" / "week01.py", "solution"), root / "solutions" / "week01.ipynb")
    return root


@pytest.fixture
def learner(clone: Path) -> Callable[..., Path]:
    """Return a function that replaces cells of the lab by a learner's, by their first words, and returns its file."""

    def edit(**replaced: str) -> Path:
        from labsupport.course.notebooks.notebook_file import read_notebook

        file = clone / "labs" / "week01.ipynb"
        notebook = read_notebook(file)
        beginnings = {
            "double": "def double",
            "largest": "largest_batch",
            "check": "week01.double.check",
            "last": "scoreboard(",
        }
        for name, source in replaced.items():
            (cell,) = [cell for cell in notebook.cells if cell.source.startswith(beginnings[name])]
            cell.source = source
        write_notebook(notebook, file)
        return file

    return edit


@pytest.fixture(scope="session")
def solved_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunResult]:
    """Yield the run of the tiny week's solution with another parameter: one kernel for all tests that look at a run."""
    root = write_clone(tmp_path_factory.mktemp("solved") / "clone")
    write_notebook(build(root / "solutions" / "week01.py", "solution"), root / "solutions" / "week01.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABS_WORKSPACE", str(root.parent / "workspace"))
        patch.delenv("PYTHONPATH", raising=False)
        yield run_week(
            1, root=root, out=root.parent / "out", flavour="solution", profile="smoke", parameters={"workers": 5}
        )
    shutil.rmtree(root)
