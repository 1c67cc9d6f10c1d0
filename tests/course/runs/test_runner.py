"""A run reports every end a notebook can come to, and leaves no process and nothing in the clone."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import psutil
import pytest

from labsupport.course.notebooks.execution import STREAM_CHARS, Progress, one_line
from labsupport.course.notebooks.notebook_file import read_notebook
from labsupport.course.runs import runner
from labsupport.course.runs.runner import RunResult, run_week
from labsupport.errors import LabsError


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if "__pycache__" not in path.parts}


@pytest.mark.slow
def test_a_solution_runs_to_its_end_and_passes(solved_run: RunResult) -> None:
    assert solved_run.failure is None
    assert solved_run.passed
    assert [(check.exercise, check.status) for check in solved_run.verdicts] == [("1.1", "passed"), ("1.2", "passed")]
    assert solved_run.scoreboard is not None
    assert solved_run.scoreboard["exercises"] == {"1.1": "passed", "1.2": "passed"}
    assert (solved_run.week, solved_run.flavour, solved_run.profile) == (1, "solution", "smoke")
    assert json.loads(json.dumps(solved_run.record))["exercises"][0]["exercise"] == "1.1"


@pytest.mark.slow
def test_parameters_reach_the_notebook_in_a_cell_of_their_own(solved_run: RunResult) -> None:
    executed = read_notebook(solved_run.notebook)
    assert executed.cells[3].outputs[0].text.startswith("workers 5 home")
    assert executed.cells[2].source == "# Parameters\nworkers = 5"
    assert executed.cells[2].id == "injected"


@pytest.mark.slow
def test_every_code_cell_has_a_time_and_the_run_has_cpu_seconds(solved_run: RunResult) -> None:
    assert [cell.position for cell in solved_run.cells] == [2, 3, 4, 5, 6, 8, 9, 10]
    assert solved_run.cells[3].first_line == "def double(value):"
    assert solved_run.cpu_s > 0
    assert sum(cell.wall_s for cell in solved_run.cells) <= solved_run.wall_s


@pytest.mark.slow
def test_a_cell_that_raises_is_named_and_counts_what_came_before(
    clone: Path, learner: Callable[..., Path], isolated: Path, tmp_path: Path
) -> None:
    learner(double="def double(value):\n    return value * 2", largest="largest_batch = 80 // 0")
    before = files(clone)
    seen: list[Progress] = []
    result = run_week(1, root=clone, out=tmp_path / "new" / "out", on_cell=seen.append)
    assert (
        str(result.failure) == "cell 7 (largest_batch = 80 // 0): ZeroDivisionError: integer division or modulo by zero"
    )
    assert not result.passed
    assert [(check.exercise, check.status) for check in result.verdicts] == [("1.1", "passed")]
    assert result.scoreboard is None
    assert result.notebook == tmp_path / "new" / "out" / "week01.ipynb"
    assert [progress.done for progress in seen] == [0, 0, 1, 2, 3, 4, 5, 6], "not told that all cells are done"
    assert {progress.total for progress in seen} == {9}
    assert files(clone) == before, "a run writes nothing into the clone"
    kept = list(isolated.glob("progress*"))
    assert kept, "a lab's verdicts count towards the learner's progress"
    assert "1.1" in kept[0].read_text()


@pytest.mark.slow
def test_a_cell_that_never_ends_is_named(clone: Path, learner: Callable[..., Path], tmp_path: Path) -> None:
    learner(largest="import time\nwhile True:\n    try:\n        time.sleep(1)\n    except:\n        pass")
    result = run_week(1, root=clone, out=tmp_path / "out", cell_timeout_s=2)
    assert str(result.failure) == "cell 7 (import time): Timeout: not done after 2 s, stopped"
    assert [check.status for check in result.verdicts] == ["not attempted"]


@pytest.mark.slow
def test_a_dead_kernel_is_reported_by_the_cell_that_killed_it(
    clone: Path, learner: Callable[..., Path], tmp_path: Path
) -> None:
    learner(largest="import os\nos._exit(3)")
    result = run_week(1, root=clone, out=tmp_path / "out")
    assert str(result.failure) == "cell 7 (import os): DeadKernel: the kernel died while this cell ran"


@pytest.mark.slow
def test_a_cell_that_calls_exit_is_named_and_an_answer_that_does_fails(
    clone: Path, learner: Callable[..., Path], tmp_path: Path
) -> None:
    learner(double="def double(value):\n    exit()\n    return value * 2", largest="largest_batch = 37\nexit()")
    result = run_week(1, root=clone, out=tmp_path / "out")
    assert str(result.failure) == (
        "cell 7 (largest_batch = 37): SystemExit: this cell ended the kernel with exit(); "
        "the cells after it were not run"
    )
    (check,) = result.verdicts
    assert check.failed_codes == ("doubles",)
    assert check.outcomes[0].note.splitlines()[:2] == [
        "the answer ended the program (SystemExit); let it return a value",
        "line 2: exit()",
    ]


@pytest.mark.slow
def test_a_cell_that_prints_megabytes_leaves_a_notebook_that_can_be_read(
    clone: Path, learner: Callable[..., Path], tmp_path: Path
) -> None:
    learner(largest="for number in range(50_000):\n    print('line', number, 'x' * 80)\nlargest_batch = 37")
    seen: list[Progress] = []
    result = run_week(1, root=clone, out=tmp_path / "out", on_cell=seen.append)
    assert seen[-1] == Progress(9, 9, ""), "told that all cells are done"
    *streams, last = read_notebook(result.notebook).cells[6].outputs
    assert "".join(stream.text for stream in streams).startswith("line 0 x")
    assert sum(len(stream.text) for stream in streams) == STREAM_CHARS
    assert re.fullmatch(r"\n\.\.\. cut here: 49,\d{3} more lines, 4,\d{3},\d{3} characters\n", last.text)


def test_a_syntax_error_is_told_without_ipythons_number_of_the_cell() -> None:
    assert one_line("\x1b[31minvalid syntax\x1b[0m\n(3675558437.py, line 2)") == "invalid syntax (line 2)"


SCRIPT = """
import sys
from pathlib import Path
from labsupport.course.runs.runner import run_week

run_week(1, root=Path(sys.argv[1]), out=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_ctrl_c_leaves_no_process(clone: Path, learner: Callable[..., Path], tmp_path: Path) -> None:
    told = tmp_path / "told"
    learner(
        largest="import os, subprocess, time\n"
        "child = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        f"open({str(told)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}\\n')\n"
        "time.sleep(300)"
    )
    run = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(clone), str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(runner.__file__).parents[3],
    )
    deadline_s = time.monotonic() + 120
    while not (told.exists() and told.read_text().endswith("\n")) and time.monotonic() < deadline_s:
        assert run.poll() is None, run.communicate()[1]
        time.sleep(0.05)
    kernel, child = (psutil.Process(int(pid)) for pid in told.read_text().split())
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == -signal.SIGINT
    assert stderr.strip().endswith("KeyboardInterrupt")
    assert "Task was destroyed" not in stderr
    assert not kernel.is_running()  # psutil compares pid and creation time
    assert not child.is_running()


def test_an_unknown_week_is_named_with_those_that_exist(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"^week 9: not one of the weeks here: 1$"):
        run_week(9, root=clone, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (clone / "labs" / "week01.ipynb").unlink()
    with pytest.raises(LabsError, match="week 9: no weeks here; `labs notebooks build` writes them"):
        run_week(9, root=clone, out=tmp_path / "out")


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", "{}", '{"cells": [{"cell_type": "code"}], "nbformat": 4, "nbformat_minor": 5}', "\xff"],
)
def test_a_broken_notebook_is_named(text: str, clone: Path, tmp_path: Path) -> None:
    (clone / "labs" / "week01.ipynb").write_text(text, encoding="latin-1")
    with pytest.raises(LabsError, match=r"week01.ipynb: not a readable notebook \(.*\); restore it"):
        run_week(1, root=clone, out=tmp_path / "out")


def test_another_notebook_can_be_run_in_place_of_the_clones(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"mine.ipynb: no such notebook"):
        run_week(1, root=clone, out=tmp_path / "out", notebook=tmp_path / "mine.ipynb")


def test_an_unknown_parameter_is_named_with_those_that_exist(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"parameter wrokers: this notebook has no such parameter; it has workers"):
        run_week(1, root=clone, out=tmp_path / "out", parameters={"wrokers": 3})
    assert not (tmp_path / "out").exists()


def test_an_unknown_profile_is_named_with_those_that_exist(clone: Path, tmp_path: Path) -> None:
    with pytest.raises(LabsError, match=r"profile huge: no such profile; there are smoke, cpu, gpu"):
        run_week(1, root=clone, out=tmp_path / "out", profile="huge")


def test_an_output_folder_that_cannot_be_made_is_named(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabsError, match=r"file/out: cannot be made"):
        run_week(1, root=clone, out=tmp_path / "file" / "out")


@pytest.mark.parametrize(
    "value",
    [
        date(2026, 2, 2),
        float("nan"),
        float("inf"),
        [1, float("-inf")],
        {1: "a"},
        {"a": {2, 3}},
        (1, 2),
        b"text",
        "\udcff",
        np.float32(1.5),
        [[]] * 2 + [date(2026, 2, 2)],
    ],
    ids=repr,
)
def test_a_parameter_that_the_executed_notebook_cannot_store_is_refused_before_anything_starts(
    value: object, clone: Path, tmp_path: Path
) -> None:
    with pytest.raises(LabsError, match=r"^parameter workers: a \w+ that JSON cannot hold; give a finite number, text"):
        run_week(1, root=clone, out=tmp_path / "out", parameters={"workers": value})
    assert not (tmp_path / "out").exists()
