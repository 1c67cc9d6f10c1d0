"""`labs train` as a user has it: interrupted with Ctrl-C it leaves one line, no process, and a run to continue."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from labsupport.cli.spec_options import flag
from labsupport.processes import die_with_parent, supervised
from labsupport.spec import settings
from labsupport.training.events import read_events
from labsupport.training.spec import TrainSpec

LABS = str(Path(sys.executable).with_name("labs"))
SMALL = (
    "train", "--model", "llama-tiny", "--dataset", "text", "--sequence", "32", "--global-batch", "16",
    "--max-steps", "400", "--checkpoint-every", "5", "--no-track",
)  # fmt: skip
FIRST_STEPS_WITHIN_S = 120.0


def wait_for_step(workspace: Path, step: int, process: subprocess.Popen) -> Path:
    """Wait until the only run of a workspace has done a step; return its folder."""
    deadline = time.monotonic() + FIRST_STEPS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for folder in workspace.glob("runs/*"):
            if any(event["event"] == "step" and event["step"] >= step for event in read_events(folder / "events")):
                return folder
        time.sleep(0.1)
    raise AssertionError(f"no step {step} within {FIRST_STEPS_WITHIN_S:.0f} s")


@pytest.mark.slow
def test_an_interrupted_run_ends_with_130_leaves_no_process_and_goes_on_with_resume(isolated):
    environment = os.environ | {"LABS_WORKSPACE": str(isolated)}
    with (
        supervised(),
        subprocess.Popen(
            [LABS, *SMALL], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=die_with_parent(),
        ) as run,
    ):  # fmt: skip
        folder = wait_for_step(isolated, 20, run)
        started = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert f"labs train --resume {folder}" in said
    assert said.splitlines()[-1] == "labs: interrupted"
    assert len(started) > 2
    assert [process for process in started if process.is_running()] == []

    done = max(event["step"] for event in read_events(folder / "events") if event["event"] == "step")
    ends_at = done + 10  # not to wait for all 400
    spec = folder / "spec.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"max_steps": ends_at}))
    resumed = subprocess.run(
        [LABS, "train", "--resume", str(folder), "--no-track", "--json"],
        env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    result = json.loads(resumed.stdout.splitlines()[-1])
    assert (result["steps"], result["restarts"], result["folder"]) == (ends_at, 1, str(folder))
    starts = [event["step"] for event in read_events(folder / "events") if event["event"] == "start"]
    assert starts[0] == 0 < starts[1]


def test_every_field_of_the_spec_is_an_option_with_its_help_and_default():
    shown = " ".join(
        subprocess.run([LABS, "train", "--help"], capture_output=True, text=True, check=True).stdout.split()
    )
    for field in settings(TrainSpec):
        assert f"{flag(field.name)} " in shown
        assert field.help in shown
        if field.default not in (None, False, True):
            assert f"[default: {field.default}]" in shown


def test_resume_takes_no_other_option(tmp_path):
    done = subprocess.run([LABS, "train", "--resume", str(tmp_path), "--epochs", "2"], capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "leave --epochs out" in done.stderr
